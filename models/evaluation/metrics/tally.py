"""What each sample adds to a figure: the form in which all metrics but COCO's are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums and counts of N samples in C columns (joints, classes, pairs, parts).

    A mean is the sum of `sums` over the sum of `counts`: over everything that counts together, as the original's scores
    are, not a mean of means. From hits it is a share 0..1, from distances it has their unit.
    """

    sums: Floats  # (N, C)
    counts: Floats  # (N, C); 0 where nothing counts

    @property
    def mean(self) -> float:
        """Over all columns together; NaN if nothing counts."""
        return float(ratio(self.sums.sum(), self.counts.sum()))

    @property
    def column_means(self) -> Floats:
        """(C,), NaN in a column where nothing counts."""
        return ratio(self.sums.sum(axis=0), self.counts.sum(axis=0))

    def rows(self, chosen: ArrayLike) -> Tally:
        """The samples of a mask or of indices (...)."""
        return Tally(self.sums[np.asarray(chosen)], self.counts[np.asarray(chosen)])

    def columns(self, chosen: Sequence[int]) -> Tally:
        return Tally(self.sums[:, list(chosen)], self.counts[:, list(chosen)])

    def by_group(self, groups: ArrayLike, count: int | None = None) -> Tally:
        """The sums of groups (N,) from 0, one row for each: sequences, subjects, actions.

        Samples of one video depend on each other: an interval draws groups of them.

        Raises:
            ValueError: There is not one group for each sample.
        """
        owners = np.asarray(groups, np.intp)
        if owners.shape != self.sums.shape[:1]:
            raise ValueError(f"{len(self.sums)} samples need as many group numbers, not {owners.shape}")
        size = count if count is not None else int(owners.max(initial=-1)) + 1
        sums, counts = (np.zeros((size, self.sums.shape[1])) for _ in range(2))
        np.add.at(sums, owners, self.sums)
        np.add.at(counts, owners, self.counts)
        return Tally(sums, counts)


def tally(values: ArrayLike, counted: ArrayLike) -> Tally:
    """A tally of values (N, C), or (N,) for one column; only those that are `counted`, of the same shape."""
    mask = np.asarray(counted, bool)
    kept = np.where(mask, np.asarray(values, np.float64), 0.0)
    if kept.ndim == 1:
        kept, mask = kept[:, None], mask[:, None]
    return Tally(kept, mask.astype(np.float64))


def ratio(sums: ArrayLike, counts: ArrayLike) -> Floats:
    """`sums / counts`, NaN where a count is 0."""
    top, bottom = np.asarray(sums, np.float64), np.asarray(counts, np.float64)
    return np.divide(top, bottom, out=np.full(np.broadcast_shapes(top.shape, bottom.shape), np.nan), where=bottom > 0)
