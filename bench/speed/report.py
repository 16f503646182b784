"""What a section answers: tables, which are printed as they come and kept as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from service.testing.running import ServiceProcess, running_service

Cell = str | int | float | None


@dataclass(frozen=True)
class Options:
    """How a benchmark is run.

    Args:
        seconds: Time of each measured point, warm-up apart.
        full: Whether what takes hours is measured whole.
        made: Repository of deephar's networks with made weights.
        beside: Another checkout of this project, set up by its own `make setup`, to compare with.
        triton: Address of a Triton that the services use; empty: each has an embedded one.
    """

    seconds: float
    full: bool
    made: Path
    beside: Path | None = None
    triton: str = ""

    def service(self, **settings: Any) -> AbstractContextManager[ServiceProcess]:
        """Returns a service to be measured. Settings are as `running_service` takes them."""
        return running_service(triton_url=self.triton, **settings)

    @property
    def rounds(self) -> int:
        """How often the sides take turns at one point."""
        return min(5, max(2, int(self.seconds / 1.5)))

    @property
    def turn_s(self) -> float:
        """Seconds of one side in one round."""
        return self.seconds / self.rounds


@dataclass
class Table:
    """Rows of cells, the first of which says what the row is."""

    title: str
    columns: list[str]
    rows: list[list[Cell]]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        texts = [self.columns, *([_text(cell) for cell in row] for row in self.rows)]
        widths = [max(len(row[i]) for row in texts) for i in range(len(self.columns))]
        lines = [
            "  ".join(
                cell.rjust(width) if i else cell.ljust(width)
                for i, (cell, width) in enumerate(zip(row, widths, strict=True))
            ).rstrip()
            for row in texts
        ]
        lines.insert(1, "-" * len(max(lines, key=len)))
        return "\n".join([f"\n{self.title}", *lines, *(f"  {note}" for note in self.notes)])


def _text(cell: Cell) -> str:
    if cell is None:
        return "-"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.1f}" if abs(cell) >= 100 else f"{cell:.2f}"
    return f"{cell:,}" if isinstance(cell, int) else cell


def percentile(values: Iterable[float], share: float) -> float:
    """Returns the value below which that share of the values lies; infinite where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("inf")


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Returns the median of the ratios of rounds: what slows a machine for a while slows both sides of a round."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
