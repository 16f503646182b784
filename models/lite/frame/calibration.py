"""Scores that mean what they say: of the joints with score 0.8, eight in ten are right; where nobody is, none."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
FILE = "calibration.json"
BINS = 10
NEWTON_STEPS, DAMPING = 60, 1e-4
STEP = 1e-5  # of numeric derivatives
NOBODY_WEIGHT = 0.2  # more makes the scores of people in odd poses too low, less those of statues too high


@dataclass(frozen=True)
class Calibration:
    """Logits (..., K) to scores: Platt scaling of each joint's, times how sure all together are of a person."""

    scale: float = 1.0
    bias: float = 0.0
    presence_scale: float = 0.0
    presence_bias: float = 50.0  # so far up that it counts for nothing

    def scores(self, logits: Array) -> Array:
        joint = self.scale * logits + self.bias
        presence = self.presence_scale * logits.mean(-1, keepdims=True) + self.presence_bias
        return np.asarray(_sigmoid(joint) * _sigmoid(presence))

    def save(self, out: Path) -> None:
        (out / FILE).write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(out: Path) -> Calibration:
        return Calibration(**json.loads((out / FILE).read_text()))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -60, 60))))


def fit(logits: Array, hits: NDArray[np.bool_], of_nobody: Array) -> Calibration:
    """The calibration of the greatest likelihood, by Gauss-Newton (Fisher scoring).

    Logits of people (N, K) with their hits, and of pictures without people (M, K), which together weigh NOBODY_WEIGHT
    of what the people do.
    """
    everything = np.concatenate([logits, of_nobody]).astype(np.float64)
    right = np.concatenate([hits, np.zeros(of_nobody.shape, bool)]).astype(np.float64)
    weight = np.concatenate(
        [np.ones(logits.shape), np.full(of_nobody.shape, NOBODY_WEIGHT * logits.size / of_nobody.size)]
    )
    found = np.array([1.0, 0.0, 1.0, 1.0])
    for _ in range(NEWTON_STEPS):
        p = np.clip(Calibration(*found).scores(everything), 1e-9, 1 - 1e-9)
        slopes = np.stack(
            [(Calibration(*(found + step)).scores(everything) - p) / STEP for step in np.eye(4) * STEP], axis=-1
        )
        information = weight / (p * (1 - p))
        gradient = ((right - p) * information)[..., None] * slopes
        curvature = np.einsum("nk,nki,nkj->ij", information, slopes, slopes) + DAMPING * np.eye(4)
        found = found + np.clip(np.linalg.solve(curvature, gradient.sum((0, 1))), -0.5, 0.5)
    return Calibration(*(float(value) for value in found))


def expected_calibration_error(scores: Array, hits: NDArray[np.bool_]) -> float:
    """Mean gap of score and share of hits over ten bins, weighted by their joints (Guo et al. 2017)."""
    scores, right = scores.ravel(), hits.ravel()
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(scores[bins == b].mean()) - float(right[bins == b].mean())) * int((bins == b).sum())
        for b in range(BINS)
        if (bins == b).any()
    ]
    return sum(gaps) / scores.size
