"""Metrics in Prometheus' text format, and what two readings of them say of the time between."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import NamedTuple

_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Labels = dict[str, str]


class Sample(NamedTuple):
    """One line of the text."""

    labels: Labels
    value: float


class Reading:
    """All samples of one moment.

    Args:
        text: In Prometheus' text format; lines of another form are left out.
        time_s: When it was read, of a clock that only rises.
    """

    def __init__(self, text: str, time_s: float = 0.0) -> None:
        self.time_s = time_s
        self._samples: defaultdict[str, list[Sample]] = defaultdict(list)
        for line in text.splitlines():
            if found := _SAMPLE.match(line):
                try:
                    self._samples[found[1]].append(Sample(dict(_LABEL.findall(found[2] or "")), float(found[3])))
                except ValueError:
                    continue

    def samples(self, name: str) -> list[Sample]:
        """Returns the samples of a metric; none where there is no such metric."""
        return self._samples.get(name, [])

    def sum(self, name: str, wanted: Callable[[Labels], bool] = lambda _: True) -> float:
        """Returns the sum of a metric's samples whose labels are wanted."""
        return sum(sample.value for sample in self.samples(name) if wanted(sample.labels))

    def buckets(self, name: str, wanted: Callable[[Labels], bool]) -> dict[float, float]:
        """Returns a histogram's counts by upper bound."""
        counts: defaultdict[float, float] = defaultdict(float)
        for sample in self.samples(f"{name}_bucket"):
            if wanted(sample.labels):
                counts[float(sample.labels["le"])] += sample.value
        return dict(counts)


class Interval(NamedTuple):
    """The time between two readings of the same server."""

    before: Reading
    after: Reading

    def rate(self, name: str, wanted: Callable[[Labels], bool] = lambda _: True) -> float:
        """Returns by how much a counter rose a second. One that fell was that of a process that is no more."""
        rise = self.after.sum(name, wanted) - self.before.sum(name, wanted)
        return max(0.0, rise) / max(1e-9, self.after.time_s - self.before.time_s)

    def mean(self, name: str, wanted: Callable[[Labels], bool] = lambda _: True) -> float | None:
        """Returns the mean of what a histogram was told in this time; None: nothing."""
        count = self.rate(f"{name}_count", wanted)
        return self.rate(f"{name}_sum", wanted) / count if count else None

    def quantiles(self, name: str, shares: tuple[float, ...], wanted: Callable[[Labels], bool]) -> list[float | None]:
        """Returns quantiles of what a histogram was told in this time, straight between the bounds of its buckets."""
        before = self.before.buckets(name, wanted)
        rises = sorted(
            (bound, count - before.get(bound, 0.0)) for bound, count in self.after.buckets(name, wanted).items()
        )
        return [_quantile(rises, share) for share in shares]


def _quantile(rises: list[tuple[float, float]], share: float) -> float | None:
    if not rises or rises[-1][1] <= 0:
        return None
    sought = share * rises[-1][1]
    for (low, below), (bound, count) in _steps(rises):
        if count >= sought:
            if math.isinf(bound):
                return low
            return low + (bound - low) * (sought - below) / max(count - below, 1e-9)
    return rises[-1][0]


def _steps(rises: list[tuple[float, float]]) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    yield from zip([(0.0, 0.0), *rises], rises, strict=False)
