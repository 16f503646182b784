"""What comes out of an evaluation, before it is written down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics.figure import Figure

ORIGINAL: Literal["original"] = "original"
STRICT: Literal["strict"] = "strict"
Counting = Literal["original", "strict"]  # how samples are counted
COUNTINGS: tuple[Counting, ...] = (ORIGINAL, STRICT)


@dataclass(frozen=True)
class Compared:
    """One figure, as the original counts and as it is counted strictly."""

    name: str
    original: Figure | None  # None where the original has no such figure, or this target cannot tell it
    strict: Figure | None
    why: str = ""  # they differ, or one is missing

    def by(self, counting: Counting) -> Figure | None:
        """The figure as it is counted."""
        return self.original if counting == ORIGINAL else self.strict


@dataclass(frozen=True)
class Part:
    """The same figure for each of many: joints, classes, blocks, actions."""

    name: str
    of: str  # "joint", "action", "block"
    unit: str
    values: Mapping[str, float]  # NaN where there is no sample


@dataclass(frozen=True, eq=False)
class Curve:
    """A figure over a threshold."""

    name: str
    over: str
    thresholds: NDArray[np.float64]
    values: NDArray[np.float64]  # in %


@dataclass(frozen=True, eq=False)
class Confusion:
    """Which class was taken for which: rows are true classes, columns predicted ones and, last, no answer."""

    labels: tuple[str, ...]
    counts: NDArray[np.intp]  # (A, A + 1)


@dataclass(frozen=True, eq=False)
class Outcome:
    """All that an evaluation found."""

    figures: list[Compared]
    parts: list[Part] = field(default_factory=list)
    curve: Curve | None = None
    confusion: Confusion | None = None
    notes: list[str] = field(default_factory=list)
    counts: Mapping[str, Any] = field(default_factory=dict)  # samples that are special: short, failed
