"""Scores that mean what they say: of the joints with score 0.8, eight in ten are right; where nobody is, none."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.lite import platt
from models.lite.platt import Array

FILE = "calibration.json"
BINS = 10
NOBODY_WEIGHT = 0.2  # more makes the scores of people in odd poses too low, less those of statues too high


@dataclass(frozen=True)
class Calibration:
    """Logits (..., K) to scores: Platt scaling of each joint's logit, times the probability that this is a person.

    That probability is Platt scaling of the joints' mean logit.
    """

    scale: float = 1.0
    bias: float = 0.0
    presence_scale: float = 0.0
    presence_bias: float = 50.0  # so far up that it counts for nothing

    def scores(self, logits: Any, sigmoid: Callable[[Any], Any] = platt.sigmoid) -> Any:
        """Scores of an array (..., K), or of a tensor with torch's sigmoid."""
        joint = platt.scaled(logits, self.scale, self.bias)
        presence = platt.scaled(logits.mean(-1, keepdims=True), self.presence_scale, self.presence_bias)
        return sigmoid(joint) * sigmoid(presence)

    def save(self, out: Path) -> None:
        (out / FILE).write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(out: Path) -> Calibration:
        return Calibration(**json.loads((out / FILE).read_text()))


def fit(logits: Array, hits: NDArray[np.bool_], of_nobody: Array) -> Calibration:
    """The calibration of the greatest likelihood.

    Args:
        logits: (N, K), of people.
        hits: (N, K), which of their joints are right.
        of_nobody: Logits (M, K) of pictures without people, which together weigh NOBODY_WEIGHT of what the people do.
    """
    everything = np.concatenate([logits, of_nobody]).astype(np.float64)
    right = np.concatenate([hits, np.zeros(of_nobody.shape, bool)])
    weight = np.concatenate(
        [np.ones(logits.shape), np.full(of_nobody.shape, NOBODY_WEIGHT * logits.size / of_nobody.size)]
    )
    start = np.array([1.0, 0.0, 1.0, 1.0])
    found = platt.fit(lambda parameters: Calibration(*parameters).scores(everything), right, start, weight)
    return Calibration(*(float(value) for value in found))


def expected_calibration_error(scores: Array, hits: NDArray[np.bool_]) -> float:
    """Mean gap of score and share of hits over ten bins, weighted by their joints (Guo et al. 2017).

    Args:
        scores: Any shape, in 0..1.
        hits: The same shape, which of them belong to something right.
    """
    scores, right = scores.ravel(), hits.ravel()
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(scores[bins == b].mean()) - float(right[bins == b].mean())) * int((bins == b).sum())
        for b in range(BINS)
        if (bins == b).any()
    ]
    return sum(gaps) / scores.size
