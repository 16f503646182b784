"""The losses of deephar's papers. A truth that is not known is left out.

Poses are (..., K, D) in 0..1 of the crop, one loss for each picture (...).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

PoseLoss = Literal["l1", "l2", "l1l2", "l1l2bincross", "cvpr_elasticnet"]

UNKNOWN = -1e9  # a coordinate without a truth
CROSS_ENTROPY_WEIGHT = 0.01  # of the coordinates, in "l1l2bincross"
SMALLEST_PROBABILITY = 1e-7  # Keras' own: no logarithm of 0


def pose_loss(kind: PoseLoss, predicted: Tensor, truth: Tensor) -> Tensor:
    """The error of poses.

    TPAMI'20: a mean over the coordinates that are known and positive; "l1l2" is the elastic net, and "l1l2bincross"
    adds the cross entropy of the coordinates. CVPR'18's elastic net, "cvpr_elasticnet", is a sum over all known ones.
    """
    known = truth > (-1e6 if kind == "cvpr_elasticnet" else 0.0)
    nothing = torch.zeros_like(predicted)
    difference = torch.where(known, predicted - truth, nothing)
    error = {"l1": difference.abs, "l2": difference.square}.get(kind, lambda: difference.abs() + difference.square())()
    if kind == "l1l2bincross":
        # Twice `where`: a gradient through what is not chosen would be NaN.
        crossed = binary_cross_entropy(predicted, torch.where(known, truth, nothing))
        error = error + torch.where(known, CROSS_ENTROPY_WEIGHT * crossed, nothing)
    total = error.sum((-2, -1))
    return total if kind == "cvpr_elasticnet" else total / known.sum((-2, -1)).clamp(min=1)


def visibility_loss(predicted: Tensor, visible: Tensor) -> Tensor:
    """The cross entropy of visibilities (..., K), a mean over the joints; negative ones are not known."""
    known = visible >= 0
    crossed = torch.where(known, binary_cross_entropy(predicted, visible.clamp(min=0)), torch.zeros_like(predicted))
    return crossed.sum(-1) / known.sum(-1).clamp(min=1)


def action_loss(scores: Tensor, actions: Tensor) -> Tensor:
    """The categorical cross entropy of scores (N, A), which add up to 1, against classes (N,): (N,)."""
    chosen = scores.gather(-1, actions[:, None]).squeeze(-1)
    return -chosen.clamp(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY).log()


def binary_cross_entropy(predicted: Tensor, truth: Tensor) -> Tensor:
    """Of probabilities, one by one."""
    sure = predicted.clamp(SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -(truth * sure.log() + (1 - truth) * (1 - sure).log())
