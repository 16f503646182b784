"""Limits of one caller."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.access import limits as module
from service.access.limits import Caller, CallerLimits, Kind, rate_of
from service.errors import Overloaded


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


@given(amount=st.integers(1, 6), seconds=st.integers(1, 5), gaps=st.lists(st.floats(0, 3), max_size=60))
def test_no_window_holds_more_than_the_rate_and_none_refuses_less(amount: int, seconds: int, gaps: list[float]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        clock = Clock()
        patch.setattr(module, "time", clock)
        caller = Caller("a", CallerLimits(rate_of(f"{amount} per {seconds} seconds")))
        taken: list[float] = []
        for gap in gaps:
            clock.now += gap
            in_window = sum(moment > clock.now - seconds for moment in taken)
            try:
                with caller.enter("request"):
                    taken.append(clock.now)
                refused_s = None
            except Overloaded as error:
                refused_s = error.retry_after_s
            assert (in_window < amount) == (refused_s is None)
            assert refused_s is None or 1 <= refused_s <= seconds


def test_after_retry_after_a_request_is_taken(clock: Clock) -> None:
    caller = Caller("a", CallerLimits(rate_of("3/minute")))
    for _ in range(3):
        clock.now += 7.3
        with caller.enter("stream"):
            pass
    with pytest.raises(Overloaded, match="this key may send 3 per 1 minute") as raised, caller.enter("stream"):
        pass
    assert raised.value.retry_after_s is not None
    clock.now += raised.value.retry_after_s
    with caller.enter("stream"):
        pass


@given(st.lists(st.tuples(st.sampled_from(["request", "stream"]), st.booleans()), max_size=60))
def test_no_more_than_the_limit_is_ever_in_work(steps: list[tuple[Kind, bool]]) -> None:
    most: dict[Kind, int] = {"request": 3, "stream": 2}
    caller = Caller("a", CallerLimits(None, most["request"], most["stream"]))
    inside: dict[Kind, list[ExitStack]] = {"request": [], "stream": []}
    for kind, begins in steps:
        if not begins:
            if inside[kind]:
                inside[kind].pop().close()
            continue
        stack = ExitStack()
        if len(inside[kind]) < most[kind]:
            stack.enter_context(caller.enter(kind))
            inside[kind].append(stack)
        else:
            with pytest.raises(Overloaded):
                stack.enter_context(caller.enter(kind))
    assert caller.is_idle == (not any(inside.values()))
    for stacks in inside.values():
        for stack in stacks:
            stack.close()
    assert caller.is_idle


def test_a_request_that_fails_leaves_its_place() -> None:
    caller = Caller("a", CallerLimits(None, 1, 1))
    with pytest.raises(KeyError), caller.enter("request"):
        raise KeyError
    with caller.enter("request"):
        assert not caller.is_idle


def test_what_concurrency_refuses_does_not_count_for_the_rate() -> None:
    caller = Caller("a", CallerLimits(rate_of("2/hour"), 1))
    with caller.enter("request"):
        for _ in range(5):
            with pytest.raises(Overloaded, match="in work already"), caller.enter("request"):
                pass
    with caller.enter("request"):
        pass


def test_new_limits_hold_at_once_and_count_what_is_in_work() -> None:
    caller = Caller("a", CallerLimits(rate_of("1/hour"), 5))
    with caller.enter("request"):
        caller.limit(CallerLimits(rate_of("9/hour"), 1))
        with pytest.raises(Overloaded, match="1 requests of this key"), caller.enter("request"):
            pass
    caller.limit(CallerLimits())
    with caller.enter("request"), caller.enter("request"):
        pass


def test_without_limits_everything_is_taken() -> None:
    caller = Caller("a", CallerLimits())
    with ExitStack() as stack:
        for _ in range(500):
            stack.enter_context(caller.enter("request"))
            stack.enter_context(caller.enter("stream"))
