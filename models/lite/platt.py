"""Platt scaling (Platt, 1999): logits to scores that mean what they say, and the fit of its parameters.

Needs no torch: what a running service says is measured without it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Logits = TypeVar("Logits")  # an array or a tensor

STEPS, LARGEST_STEP = 60, 0.5
DAMPING = 1e-4
DERIVATIVE_STEP = 1e-5
SMALLEST_PROBABILITY = 1e-9


def scaled(logits: Logits, scale: Any, bias: Any) -> Logits:
    """The logits of the scores, of an array or a tensor."""
    return scale * logits + bias


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def fit(
    probabilities_of: Callable[[Array], Array],
    right: NDArray[np.bool_] | Array,
    start: Array,
    weight: Array | float = 1.0,
) -> Array:
    """The parameters of greatest likelihood, by Fisher scoring with numeric derivatives.

    Args:
        probabilities_of: Parameters (P,) to probabilities of the shape of `right`.
        right: Which scores belong to something right, or what share of it is.
        start: (P,), the first parameters.
        weight: Of each of `right`.

    Returns:
        (P,)
    """
    found, right, weight = np.asarray(start, np.float64), right.ravel(), np.ravel(weight)
    steps = np.eye(len(found)) * DERIVATIVE_STEP
    for _ in range(STEPS):
        p = np.clip(probabilities_of(found).ravel(), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
        slopes = np.stack([(probabilities_of(found + step).ravel() - p) / DERIVATIVE_STEP for step in steps], axis=-1)
        information = weight / (p * (1 - p))
        gradient = ((right - p) * information) @ slopes
        curvature = slopes.T @ (information[:, None] * slopes) + DAMPING * np.eye(len(found))
        found = found + np.clip(np.linalg.solve(curvature, gradient), -LARGEST_STEP, LARGEST_STEP)
    return found
