"""Samples asked of a target: inputs are made ahead in threads, and answers come back sample by sample."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Generic

from models.datasets.problem import DataProblem
from models.datasets.samples import AnySample
from models.evaluation.protocols.protocol import Make, Protocol
from models.evaluation.targets.ahead import made_ahead

THREADS = 2
AHEAD = 16  # inputs that are made before they are asked


@dataclass(eq=False)
class _Asked(Generic[AnySample]):
    """A sample on its way."""

    sample: AnySample
    inputs: int
    answers: list[Any] = field(default_factory=list)


@dataclass(frozen=True, eq=False)
class _Made:
    """One input of a sample, or why there is none."""

    of: _Asked[Any]
    content: Any


def answered(
    protocol: Protocol[AnySample], samples: Iterable[AnySample], threads: int = THREADS, ahead: int = AHEAD
) -> Iterator[tuple[AnySample, list[Any]]]:
    """The samples in order, each with the answers to its inputs; a `DataProblem` stands for one that cannot be read.

    Args:
        protocol: Makes the inputs of a sample and asks the target.
        samples: Drawn as they are needed.
        threads: That read and cut pictures.
        ahead: Inputs that may wait; with the target's own batches this bounds the memory.

    Raises:
        DataProblem: An input cannot be read, where the protocol stops at that.
    """
    under_way: deque[_Asked[AnySample]] = deque()  # in order, the last ones not yet asked completely
    asked: deque[_Made] = deque()  # whose answers are to come, and problems between them

    def jobs() -> Iterator[tuple[_Asked[AnySample], Make | None]]:
        for sample in samples:
            inputs = protocol.inputs(sample)
            entry = _Asked(sample, len(inputs))
            under_way.append(entry)
            yield from ((entry, make) for make in inputs)

    def contents() -> Iterator[Any]:
        for made in made_ahead(_make(protocol.stops_at_problems), jobs(), threads, ahead):
            asked.append(made)
            if not isinstance(made.content, DataProblem):
                yield made.content

    def finished() -> Iterator[tuple[AnySample, list[Any]]]:
        while asked and isinstance(asked[0].content, DataProblem):
            problem = asked.popleft()
            problem.of.answers.append(problem.content)
        while under_way and len(under_way[0].answers) == under_way[0].inputs:
            entry = under_way.popleft()
            yield entry.sample, entry.answers

    for answer in protocol.ask(contents()):
        yield from finished()
        asked.popleft().of.answers.append(answer)
        yield from finished()
    yield from finished()


def _make(stops: bool) -> Any:
    def make(job: tuple[_Asked[Any], Make]) -> _Made:
        entry, read = job
        try:
            return _Made(entry, read())
        except DataProblem as problem:
            if stops:
                raise
            return _Made(entry, problem)

    return make
