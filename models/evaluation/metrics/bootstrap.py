"""Intervals by the bootstrap: percentiles of the figure over samples drawn anew, with replacement.

Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13. The same seed gives the same interval.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from models.evaluation.metrics.figure import Figure
from models.evaluation.metrics.tally import Tally, ratio

Floats = NDArray[np.float64]

RESAMPLES = 1000
LEVEL = 0.95
DRAWN_AT_ONCE = 4_000_000  # draws held in memory, 8 bytes each


def draw_counts(samples: int, resamples: int = RESAMPLES, seed: int = 0) -> Iterator[Floats]:
    """How often each of N samples is drawn: blocks (R of the block, N) of all resamples in order."""
    random = np.random.default_rng(seed)
    rows = max(1, min(resamples, DRAWN_AT_ONCE // max(1, samples)))
    for start in range(0, resamples, rows):
        size = min(rows, resamples - start)
        draws = random.integers(samples, size=(size, samples)) + samples * np.arange(size)[:, None]
        counts = np.bincount(draws.ravel(), minlength=size * samples)
        yield counts.reshape(size, samples).astype(np.float64)


def interval(tally: Tally, *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> tuple[float, float]:
    """The interval of a tally's mean over all columns. For sequences: `interval(tally.by_group(sequences))`."""
    low, high = _intervals(
        tally.sums.sum(axis=1, keepdims=True), tally.counts.sum(axis=1, keepdims=True), resamples, level, seed
    )
    return float(low[0]), float(high[0])


def figure(tally: Tally, unit: str = "%", *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0) -> Figure:
    """The mean over all columns with its interval; a share 0..1 becomes per cent with the unit "%"."""
    together = Tally(tally.sums.sum(axis=1, keepdims=True), tally.counts.sum(axis=1, keepdims=True))
    return figures(together, unit, resamples=resamples, level=level, seed=seed)[0]


def figures(
    tally: Tally, unit: str = "%", *, resamples: int = RESAMPLES, level: float = LEVEL, seed: int = 0
) -> list[Figure]:
    """The mean of each column (joint, class, part) with its interval, from the same resamples."""
    factor = 100.0 if unit == "%" else 1.0
    lows, highs = _intervals(tally.sums, tally.counts, resamples, level, seed)
    counts = (tally.counts > 0).sum(axis=0)
    return [
        Figure(float(factor * mean), float(factor * low), float(factor * high), int(count), unit, level)
        for mean, low, high, count in zip(tally.column_means, lows, highs, counts, strict=True)
    ]


def percentiles(means: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """The ends of the interval, from a figure's values (R, C) over R resamples. NaN values are left out."""
    ends = ((1 - level) / 2, (1 + level) / 2)
    low, high = np.full((2, means.shape[1]), np.nan)
    for column, values in enumerate(means.T):
        finite = values[np.isfinite(values)]
        if finite.size:
            low[column], high[column] = np.quantile(finite, ends)
    return low, high


def _intervals(sums: Floats, counts: Floats, resamples: int, level: float, seed: int) -> tuple[Floats, Floats]:
    """Of sums and counts (N, C)."""
    if not len(sums):
        return np.full(sums.shape[1], np.nan), np.full(sums.shape[1], np.nan)
    drawn = [ratio(times @ sums, times @ counts) for times in draw_counts(len(sums), resamples, seed)]
    return percentiles(np.concatenate(drawn), level)
