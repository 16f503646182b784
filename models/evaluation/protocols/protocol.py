"""What the protocols of all data sets have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic

from models.datasets.problem import DataProblem
from models.datasets.samples import AnySample
from models.evaluation.figures import Outcome
from models.evaluation.journal import Row

Make = Callable[[], Any]  # reads and cuts one input


@dataclass(frozen=True)
class Running:
    """Sums behind the figure that the progress bar shows."""

    name: str
    unit: str

    def text(self, total: float, count: float) -> str:
        """The figure so far."""
        return f"{self.name} {total / count:.1f} {self.unit}" if count else ""


class Protocol(ABC, Generic[AnySample]):
    """The evaluation of one data set on one target."""

    settings: dict[str, Any]  # what the rows depend on beside the model and the data
    notes: tuple[str, ...] = ()  # on how the data were opened
    running: Running
    stops_at_problems: bool = True  # whether a file that cannot be read ends the evaluation
    align: int = 64  # an evaluation goes on from a multiple of so many samples, so that batches are the same

    @abstractmethod
    def inputs(self, sample: AnySample) -> list[Make]:
        """What a sample asks of the target; made in threads, shortly before it is asked."""

    @abstractmethod
    def ask(self, inputs: Iterable[Any]) -> Iterator[Any]:
        """The target's answers, in order."""

    @abstractmethod
    def row(self, sample: AnySample, answers: Sequence[Any | DataProblem]) -> Row:
        """What is noted of a sample: predictions and truth."""

    @abstractmethod
    def so_far(self, row: Row) -> tuple[float, float]:
        """What a row adds to the running figure: a sum and a count."""

    @abstractmethod
    def outcome(self, rows: Sequence[Row]) -> Outcome:
        """All figures."""
