"""How many inputs are asked for at a time."""

from __future__ import annotations

from deephar.bulk.pace import FIRST, MOST, Pace


class Service:
    """A service of simulated time: it answers more a second the more is in flight, up to what it can."""

    def __init__(self, best: int, fixed: int = 0) -> None:
        self.now_s, self._best = 0.0, best
        self.pace = Pace(fixed, lambda: self.now_s)

    def answer(self, seconds: float) -> None:
        until_s = self.now_s + seconds
        while self.now_s < until_s:
            self.now_s += 1 / (10 * min(self.pace.limit, self._best))
            self.pace.answered()


def test_it_grows_as_long_as_that_pays() -> None:
    for best, limit in ((4, FIRST), (16, 16), (32, 32), (1000, MOST)):
        service = Service(best)
        service.answer(60)
        assert service.pace.limit == limit


def test_a_refusal_lowers_it_once_and_it_comes_back() -> None:
    service = Service(16)
    service.answer(60)
    for _ in range(16):
        service.pace.refused()
    assert service.pace.limit == 12
    service.answer(30)
    assert service.pace.limit == 16


def test_a_full_service_is_still_asked() -> None:
    service = Service(16)
    for _ in range(100):
        service.now_s += 2
        service.pace.refused()
    assert service.pace.limit == 1


def test_a_chosen_one_stays() -> None:
    service = Service(1000, fixed=3)
    service.answer(60)
    service.now_s += 2
    service.pace.refused()
    assert service.pace.limit == 3
