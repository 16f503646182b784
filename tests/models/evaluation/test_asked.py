from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from typing import Any

import pytest

from models.datasets.problem import DataProblem
from models.evaluation.asked import answered
from models.evaluation.figures import Outcome
from models.evaluation.journal import Row
from models.evaluation.protocols.protocol import Make, Protocol, Running


class Numbers(Protocol[Any]):
    """Asks a sample n for n inputs, which are answered by their negatives, in batches."""

    running = Running("", "")

    def __init__(self, batch: int, damaged: Sequence[int] = (), stops: bool = False) -> None:
        self.batch, self.damaged, self.stops_at_problems = batch, damaged, stops
        self.made = 0

    def inputs(self, sample: int) -> list[Make]:
        def make(number: int) -> int:
            self.made += 1
            if number in self.damaged:
                raise DataProblem(f"{number} is damaged")
            return number

        return [partial(make, 10 * sample + at) for at in range(sample)]

    def ask(self, inputs: Iterable[int]) -> Iterator[int]:
        left = iter(inputs)
        while batch := list(islice(left, self.batch)):
            yield from (-number for number in batch)

    def row(self, sample: int, answers: Sequence[Any]) -> Row:
        raise AssertionError

    def so_far(self, row: Row) -> tuple[float, float]:
        raise AssertionError

    def outcome(self, rows: Sequence[Row]) -> Outcome:
        raise AssertionError


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_answers_come_back_to_their_samples(batch: int) -> None:
    samples = [2, 0, 3, 1, 0, 0, 4, 0]
    found = list(answered(Numbers(batch), samples, threads=2, ahead=3))
    assert found == [(sample, [-(10 * sample + at) for at in range(sample)]) for sample in samples]


@pytest.mark.parametrize("batch", [1, 2, 5, 100])
def test_what_cannot_be_read_stands_in_its_place(batch: int) -> None:
    protocol = Numbers(batch, damaged=[20, 31, 10, 42, 43])
    found = list(answered(protocol, [2, 3, 1, 4], threads=2, ahead=3))
    assert [(sample, [str(one) for one in answers]) for sample, answers in found] == [
        (2, ["20 is damaged", "-21"]),
        (3, ["-30", "31 is damaged", "-32"]),
        (1, ["10 is damaged"]),
        (4, ["-40", "-41", "42 is damaged", "43 is damaged"]),
    ]


def test_a_protocol_may_stop_at_what_cannot_be_read() -> None:
    with pytest.raises(DataProblem, match="31 is damaged"):
        list(answered(Numbers(1, damaged=[31], stops=True), [2, 3]))


def test_inputs_are_made_a_bounded_number_ahead() -> None:
    protocol = Numbers(batch=2)
    answers = answered(protocol, [1] * 1000, threads=2, ahead=5)
    next(answers)
    assert protocol.made <= 2 + 5
    next(islice(answers, 99, None))
    assert protocol.made <= 101 + 2 + 5
