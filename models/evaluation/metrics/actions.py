"""Accuracy of actions: top-1 and top-5, per class, the confusion matrix; single-clip and multi-clip protocols."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.tally import Tally, tally
from models.protocol.fusion import FusedScores, ShortSequences, fuse

Ints = NDArray[np.intp]
NO_ANSWER = -1  # the label of a sequence without a clip, or whose clips all failed


def single_clip(scores: ArrayLike, truth: ArrayLike, answered: ArrayLike | None = None) -> list[Tally]:
    """Top-1 of each action block, from one clip a sequence.

    Args:
        scores: (S, N, A), of S sequences by N blocks.
        truth: (S,), classes from 0.
        answered: (S,); a sequence whose clip failed counts as wrong. All if None.
    """
    values = np.asarray(scores, np.float64)
    return [top_k(values[:, block], truth, answered=answered) for block in range(values.shape[1])]


def multi_clip(
    probabilities: ArrayLike,
    sequences: ArrayLike,
    truth: ArrayLike,
    short: ShortSequences = ShortSequences.WRONG,
) -> tuple[FusedScores, list[Tally]]:
    """Fused scores of S sequences, and top-1 of each action block.

    Args:
        probabilities: (C, N, A), of C clips, plain and mirrored, by N blocks. Clips that failed are not among them.
        sequences: (C,), the sequence of each clip.
        truth: (S,), classes from 0.
        short: What a sequence without any clip (too short, or all failed) counts as. The original's protocol is
            CORRECT, the strict one WRONG.
    """
    labels = np.asarray(truth)
    fused = fuse(probabilities, sequences, len(labels))
    return fused, [fused_top_k(fused, labels, block=block, short=short) for block in range(fused.log_scores.shape[1])]


def fused_top_k(
    fused: FusedScores,
    truth: ArrayLike,
    k: int = 1,
    *,
    block: int = -1,
    short: ShortSequences = ShortSequences.WRONG,
) -> Tally:
    """Top-k of one action block of fused scores (S, N, A); the last block is the network's result."""
    found = top_k(fused.log_scores[:, block], truth, k, answered=fused.has_clip)
    clipless = ~fused.has_clip[:, None]
    if short is ShortSequences.CORRECT:
        return Tally(np.where(clipless, 1.0, found.sums), found.counts)
    if short is ShortSequences.LEFT_OUT:
        return Tally(found.sums, np.where(clipless, 0.0, found.counts))
    return found


def top_k(scores: ArrayLike, truth: ArrayLike, k: int = 1, answered: ArrayLike | None = None) -> Tally:
    """Whether the true class is among the k best of scores (S, A); of equal scores the lower class is better.

    Args:
        scores: (S, A): probabilities, logits or their sums.
        truth: (S,), classes from 0.
        k: How many may be wrong before it, plus 1.
        answered: (S,); where it is False the sequence counts as wrong. All if None.

    Returns:
        One column.
    """
    values, labels = np.asarray(scores, np.float64), np.asarray(truth, np.intp)
    own = np.take_along_axis(values, labels[:, None], axis=1)
    lower = np.arange(values.shape[1]) < labels[:, None]
    better = (values > own) | ((values == own) & lower)
    known = np.ones(len(labels), bool) if answered is None else np.asarray(answered, bool)
    return tally((better.sum(axis=1) < k) & known, np.ones(len(labels), bool))


def predicted_labels(scores: ArrayLike, answered: ArrayLike | None = None) -> Ints:
    """The best class (S,) of scores (S, A); `NO_ANSWER` where `answered` is False."""
    best = np.asarray(scores).argmax(axis=-1)
    return best if answered is None else np.where(np.asarray(answered, bool), best, NO_ANSWER)


def per_class(labels: ArrayLike, truth: ArrayLike, classes: int) -> Tally:
    """The share of each class's sequences that are recognised: a column a class.

    Args:
        labels: (S,), predicted; `NO_ANSWER` is wrong.
        truth: (S,), classes from 0.
        classes: A.
    """
    own = np.asarray(truth)[:, None] == np.arange(classes)
    return tally(np.broadcast_to((np.asarray(labels) == np.asarray(truth))[:, None], own.shape), own)


def confusion(labels: ArrayLike, truth: ArrayLike, classes: int) -> Ints:
    """How many sequences of each true class (row) are taken for each class (column): (A, A + 1).

    The last column counts those without an answer, so that a row's sum is the number of its sequences.
    """
    matrix = np.zeros((classes, classes + 1), np.intp)
    np.add.at(matrix, (np.asarray(truth, np.intp), np.asarray(labels, np.intp)), 1)  # -1 is the last column
    return matrix
