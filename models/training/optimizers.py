"""The optimizer of a phase, PyTorch's, as Keras 2.1.4 computes it, and its rates."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from models.training.recipe import Phase

RMSPROP_RHO = 0.9
KERAS_EPSILON = 1e-7


def optimizer_of(phase: Phase, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
    """The phase's optimizer.

    RMSprop has its epsilon outside of the root, as the Keras of the original and PyTorch have it; that of
    TensorFlow 2 has it inside. Keras' SGD keeps the rate in its velocity, PyTorch's does not: they are the same but for
    the few steps after a change of the rate.
    """
    if phase.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, phase.learning_rate, alpha=RMSPROP_RHO, eps=KERAS_EPSILON)
    return torch.optim.SGD(parameters, phase.learning_rate, momentum=phase.momentum, nesterov=phase.momentum > 0)


def rate_of(phase: Phase, epoch: int) -> float:
    """The rate of an epoch of the phase, from 0."""
    return phase.learning_rate * phase.factor ** sum(epoch >= milestone for milestone in phase.milestones)
