"""Work that is done ahead in threads."""

from __future__ import annotations

import threading
import time

import pytest

from models.evaluation.targets.ahead import made_ahead


def test_results_come_in_order_whatever_takes_longer() -> None:
    def make(number: int) -> int:
        time.sleep(0.01 if number % 3 == 0 else 0)
        return number * number

    assert list(made_ahead(make, range(20), threads=4, ahead=8)) == [number * number for number in range(20)]


def test_no_more_is_made_than_is_allowed_ahead() -> None:
    made: list[int] = []

    def make(number: int) -> int:
        made.append(number)
        return number

    results = made_ahead(make, range(100), threads=2, ahead=5)
    assert next(results) == 0
    results.close()  # type: ignore[attr-defined]
    assert len(made) <= 5


def test_an_error_comes_in_the_place_of_its_result_and_ends_the_threads() -> None:
    def make(number: int) -> int:
        if number == 3:
            raise KeyError("three")
        return number

    results = made_ahead(make, range(10))
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(KeyError, match="three"):
        next(results)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ahead")]
