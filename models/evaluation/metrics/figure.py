"""A number with its uncertainty, as records, tables and plots show it."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A value, the interval that holds it, and what it was made of. `dataclasses.asdict` is its JSON."""

    value: float  # in `unit`; NaN where nothing was counted
    low: float  # ends of the interval
    high: float
    count: int  # samples (or sequences) that count: those that the interval draws from
    unit: str = "%"  # "%", "mm" or "" for a plain number
    level: float = 0.95  # of the interval

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "-"
        digits = 1 if self.unit else 3
        value, low, high = (f"{number:.{digits}f}" for number in (self.value, self.low, self.high))
        unit = f" {self.unit}" if self.unit else ""
        return f"{value}{unit} ({low} to {high}, n = {self.count:,})"
