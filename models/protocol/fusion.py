"""One action per sequence from the scores of its clips, plain and mirrored.

The original multiplies probabilities, which ends at 0 for long sequences. Here their logarithms are added in float64:
the same order of classes, and no underflow. Mirrored clips need no change of classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray


class ShortSequences(Enum):
    """What a sequence without any clip counts as."""

    WRONG = "wrong"  # the default: nothing was recognised
    LEFT_OUT = "left_out"
    CORRECT = "correct"  # the original's mistake (all-one scores against an all-zero truth); only to repeat its numbers


@dataclass(frozen=True, eq=False)
class FusedScores:
    """Scores of S sequences."""

    log_scores: NDArray[np.float64]  # (S, ..., A); 0 where a sequence has no clip
    has_clip: NDArray[np.bool_]  # (S,)

    @property
    def labels(self) -> NDArray[np.intp]:
        """The top class (S, ...); -1, which no true class is, for a sequence without a clip."""
        best = self.log_scores.argmax(axis=-1)
        best[~self.has_clip] = -1
        return best


def fuse(probabilities: ArrayLike, sequences: ArrayLike, count: int) -> FusedScores:
    """Sums the log-probabilities of the clips of each sequence.

    Args:
        probabilities: (N, ..., A), of clips. Further axes (action blocks) are kept.
        sequences: (N,), the sequence of each clip, in 0..count - 1.
        count: S, the number of sequences.

    Raises:
        ValueError: Scores are negative or not finite, or a sequence is out of range.
    """
    scores, owners = np.asarray(probabilities, np.float64), np.asarray(sequences, np.intp)
    if owners.shape != scores.shape[:1]:
        raise ValueError(f"{scores.shape[0]} rows of scores need as many sequence numbers, not {owners.shape}")
    if not (np.isfinite(scores).all() and (scores >= 0).all()):
        raise ValueError("scores must be finite and not negative: pass probabilities, not logits")
    if owners.size and not 0 <= owners.min() <= owners.max() < count:
        raise ValueError(f"sequence numbers must lie in 0..{count - 1}")
    log_scores = np.zeros((count, *scores.shape[1:]))
    with np.errstate(divide="ignore"):  # log 0 = -inf is right: the class is ruled out
        np.add.at(log_scores, owners, np.log(scores))
    return FusedScores(log_scores, np.bincount(owners, minlength=count) > 0)


def accuracy(fused: FusedScores, truth: ArrayLike, short: ShortSequences = ShortSequences.WRONG) -> NDArray[np.float64]:
    """The share of sequences whose top class is the true one, for each action block.

    Args:
        fused: Scores of S sequences.
        truth: (S,), their classes.
        short: What a sequence without a clip counts as.

    Returns:
        (...), the further axes of the scores.

    Raises:
        ValueError: There is not one class for each sequence, or no sequence to count.
    """
    if np.shape(truth) != fused.has_clip.shape:
        raise ValueError(f"{len(fused.has_clip)} sequences need one true class each, not {np.shape(truth)}")
    labels = np.asarray(truth).reshape(-1, *[1] * (fused.log_scores.ndim - 2))
    correct = (fused.labels == labels) & (labels >= 0)  # (S, ...)
    if short is ShortSequences.CORRECT:
        correct[~fused.has_clip] = True
    elif short is ShortSequences.LEFT_OUT:
        correct = correct[fused.has_clip]
    if not len(correct):
        raise ValueError("there is no sequence to count")
    return np.asarray(correct.mean(axis=0))
