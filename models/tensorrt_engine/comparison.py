"""Compares an engine's outputs with those of the ONNX file in fp32."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.networks.tensors import ACTION_SCORES, KEYPOINT_SCORES, KEYPOINTS

# Absolute. Other outputs (action features) are reported only: the clip network's scores tell whether they are right.
TOLERANCES = {KEYPOINTS: 0.02, KEYPOINT_SCORES: 0.02, ACTION_SCORES: 0.02}


@dataclass(frozen=True)
class Difference:
    """Of one output."""

    output: str
    largest: float | None  # None: shapes differ, or not all numbers are finite
    allowed: float | None  # None: there is no tolerance

    @property
    def acceptable(self) -> bool:
        return self.largest is not None and (self.allowed is None or self.largest <= self.allowed)

    def __str__(self) -> str:
        if self.largest is None:
            return f"{self.output} of another shape or not finite"
        return f"{self.output} {self.largest:.2g}" + (f" ({self.allowed:g} allowed)" if self.allowed else "")


@dataclass(frozen=True)
class Comparison:
    """Of one network's outputs."""

    differences: tuple[Difference, ...]
    other_best_actions: int | None  # clips with another top action; None: the network has no actions

    @property
    def passed(self) -> bool:
        return all(difference.acceptable for difference in self.differences) and not self.other_best_actions

    def __str__(self) -> str:
        texts = [str(difference) for difference in self.differences]
        if self.other_best_actions is not None:
            texts.append(f"another best action in {self.other_best_actions} clips" * bool(self.other_best_actions))
        return ", ".join(text for text in texts if text)


def compare(reference: Mapping[str, NDArray[Any]], engine: Mapping[str, NDArray[Any]]) -> Comparison:
    """Compares outputs by name, from the same inputs; the first axis is the batch."""
    differences = tuple(
        Difference(name, _largest(expected, engine.get(name)), TOLERANCES.get(name))
        for name, expected in reference.items()
    )
    scores, ours = reference.get(ACTION_SCORES), engine.get(ACTION_SCORES)
    others = None
    if scores is not None and ours is not None and scores.shape == ours.shape:
        others = int((scores.argmax(-1) != ours.argmax(-1)).sum())
    return Comparison(differences, others)


def _largest(expected: NDArray[Any], got: NDArray[Any] | None) -> float | None:
    if got is None or got.shape != expected.shape or not np.isfinite(got).all():
        return None
    return float(np.abs(expected.astype(np.float64) - got).max())
