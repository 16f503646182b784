"""A batch at work: what each answer leads to. The service is simulated, since its faults have to come in order."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from deephar.bulk import engine
from deephar.bulk.engine import Engine, Failed, ServiceAway, UnreadableInput
from deephar.bulk.inputs import Input
from deephar.bulk.pace import Pace
from deephar.errors import DeepharError

PICTURES = [Input(f"{number}.jpg", f"/{number}.jpg", "picture") for number in range(40)]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_FIRST_PAUSE_S", 0.001)
    monkeypatch.setattr(engine, "_LONGEST_PAUSE_S", 0.01)


class Service:
    """Answers each input with what was said of it, in turn, then well."""

    def __init__(self) -> None:
        self.faults: dict[str, list[Exception]] = defaultdict(list)
        self.asked: Counter[str] = Counter()
        self.at_a_time = self.most = 0
        self.ready = True
        self.looks = 0

    async def ask(self, input: Input) -> None:
        self.at_a_time += 1
        self.most = max(self.most, self.at_a_time)
        self.asked[input.id] += 1
        await asyncio.sleep(0.001)
        self.at_a_time -= 1
        if self.faults[input.id]:
            raise self.faults[input.id].pop(0)

    async def is_ready(self) -> bool:
        self.looks += 1
        return self.ready


def run(service: Service, inputs: list[Input] = PICTURES, patience_s: float = 5.0) -> dict[str, Failed | None]:
    done: dict[str, Failed | None] = {}

    def keep(input: Input, failed: Failed | None) -> None:
        assert input.id not in done, "twice"
        done[input.id] = failed

    async def go() -> None:
        with ThreadPoolExecutor(1) as threads:
            await Engine(service, keep, patience_s, threads, lambda _: None).run(iter(inputs), Pace(4))

    asyncio.run(go())
    return done


def error(code: str) -> DeepharError:
    return DeepharError.of(code, f"it is {code}", 0.001)


def test_every_input_is_asked_for_once_and_no_more_than_the_pace_at_a_time() -> None:
    service = Service()
    assert run(service) == dict.fromkeys(input.id for input in PICTURES)
    assert set(service.asked.values()) == {1}
    assert service.most == 4


def test_bad_inputs_are_told_and_the_rest_goes_on() -> None:
    service = Service()
    service.faults["3.jpg"] = [error("invalid_image")]
    service.faults["5.jpg"] = [UnreadableInput("Permission denied")]
    done = run(service, [*PICTURES, Input("x.txt", "/x.txt", None)])
    assert {id: failed.code for id, failed in done.items() if failed} == {
        "3.jpg": "invalid_image",
        "5.jpg": "unreadable",
        "x.txt": "unreadable",
    }
    assert len(done) == 41
    assert service.asked["3.jpg"] == 1


def test_a_full_service_is_asked_again_however_often_it_says_so() -> None:
    service = Service()
    service.faults["0.jpg"] = [error("overloaded")] * 20
    assert set(run(service).values()) == {None}
    assert service.asked["0.jpg"] == 21


def test_a_service_that_comes_back_is_waited_for() -> None:
    service = Service()
    service.faults |= {f"{number}.jpg": [error("unreachable"), error("unavailable")] for number in range(10)}
    assert set(run(service).values()) == {None}


def test_a_service_that_stays_away_ends_the_batch() -> None:
    service = Service()
    service.ready = False
    service.faults["7.jpg"] = [error("unreachable")]
    with pytest.raises(ServiceAway, match=r"it is unreachable; it was waited for 0\.05 s"):
        run(service, patience_s=0.05)
    assert service.looks >= 2


def test_what_the_service_does_not_survive_is_told_and_the_others_are_answered() -> None:
    class Mortal(Service):
        """Whoever is in work together with 5.jpg is not answered either."""

        _deaths = 0

        async def ask(self, input: Input) -> None:
            deaths = self._deaths
            await asyncio.sleep(0.002)
            if input.id == "5.jpg":
                self._deaths += 1
            if self._deaths != deaths:
                raise error("unreachable")

    done = run(Mortal())
    assert {id for id, failed in done.items() if failed} == {"5.jpg"}
    assert len(done) == len(PICTURES)


def test_faults_of_the_service_are_tried_again_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service()
    service.faults["0.jpg"] = [error("internal")]
    service.faults["1.jpg"] = [error("deadline_exceeded")] * 9
    done = run(service, PICTURES[:3])
    assert {id: failed.code for id, failed in done.items() if failed} == {"1.jpg": "deadline_exceeded"}
    assert service.asked["1.jpg"] == 3


@pytest.mark.parametrize("code", ["unknown_model", "unauthenticated", "permission_denied"])
def test_what_concerns_every_input_ends_the_batch(code: str) -> None:
    service = Service()
    service.faults["9.jpg"] = [error(code)]
    with pytest.raises(DeepharError) as raised:
        run(service)
    assert raised.value.code == code
    assert service.asked.total() < len(PICTURES)


def test_options_that_the_service_refuses_end_the_batch() -> None:
    service = Service()
    service.faults |= {input.id: [error("invalid_argument")] for input in PICTURES}
    with pytest.raises(DeepharError, match="it is invalid_argument"):
        run(service)
    assert service.asked.total() < 20


def test_options_that_do_not_fit_some_inputs_are_errors_of_those() -> None:
    service = Service()
    service.faults |= {f"{number}.jpg": [error("invalid_argument")] for number in range(4, 40, 2)}
    done = run(service)
    assert sum(failed is not None for failed in done.values()) == 18


def test_a_stopped_batch_finishes_what_is_in_work() -> None:
    service, finished = Service(), []

    async def go() -> None:
        with ThreadPoolExecutor(1) as threads:
            running = Engine(service, lambda input, _: keep(input), 5.0, threads, lambda _: None)

            def keep(input: Input) -> None:
                finished.append(input.id)
                if len(finished) == 5:
                    running.stop()

            await running.run(endless(), Pace(4))

    def endless() -> Iterator[Input]:
        for number in count():
            yield Input(str(number), "", "picture")

    asyncio.run(asyncio.wait_for(go(), 10))
    assert service.asked.total() == len(finished) <= 10
