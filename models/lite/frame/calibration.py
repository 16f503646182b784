"""Calibrated scores: of the joints with score 0.8, eight in ten are right; in pictures without people, none."""

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
SEEN = 8  # joints that decide whether a person is there; a portrait down to the hips shows as many
BINS = 10
EMPTY_WEIGHT = 0.18  # with more, scores of people in odd poses are too low; with less, those of statues too high


def highest(logits: Array) -> Array:
    """The highest SEEN logits of (..., K)."""
    return np.sort(logits, axis=-1)[..., -SEEN:]


@dataclass(frozen=True)
class Calibration:
    """Logits (..., K) to scores: Platt scaling of each joint's logit, times the probability that this is a person.

    That probability is Platt scaling of the mean of the highest logits.
    """

    scale: float = 1.0
    bias: float = 0.0
    presence_scale: float = 0.0
    presence_bias: float = 50.0  # its sigmoid is 1: without a fit there is no such factor

    def scores(
        self, logits: Any, sigmoid: Callable[[Any], Any] = platt.sigmoid, highest: Callable[[Any], Any] = highest
    ) -> Any:
        """Scores (..., K) of an array; of a tensor with torch's `sigmoid` and `highest`."""
        joint = platt.scaled(logits, self.scale, self.bias)
        presence = platt.scaled(highest(logits).mean(-1)[..., None], self.presence_scale, self.presence_bias)
        return sigmoid(joint) * sigmoid(presence)

    def save(self, out: Path) -> None:
        (out / FILE).write_text(json.dumps(asdict(self)))

    @staticmethod
    def load(out: Path) -> Calibration:
        return Calibration(**json.loads((out / FILE).read_text()))


def fit(logits: Array, hits: NDArray[np.bool_], known: NDArray[np.bool_], empty_logits: Array) -> Calibration:
    """The calibration of greatest likelihood.

    Args:
        logits: (N, K), of people.
        hits: (N, K), which of their joints are right.
        known: (N, K), of which of their joints that is known.
        empty_logits: (M, K), of pictures without people. Together they weigh EMPTY_WEIGHT of what the people do.
    """
    everything = np.concatenate([logits, empty_logits]).astype(np.float64)
    right = np.concatenate([hits, np.zeros(empty_logits.shape, bool)])
    weight = np.concatenate(
        [known.astype(float), np.full(empty_logits.shape, EMPTY_WEIGHT * known.sum() / empty_logits.size)]
    )
    start = np.array([1.0, 0.0, 1.0, 1.0])
    found = platt.fit(lambda parameters: Calibration(*parameters).scores(everything), right, start, weight)
    return Calibration(*(float(value) for value in found))


def expected_calibration_error(scores: Array, hits: NDArray[np.bool_] | Array) -> float:
    """Mean gap of score and share of hits over ten bins, weighted by their joints (Guo et al. 2017).

    Args:
        scores: Any shape, in 0..1.
        hits: The same shape, which of them belong to something right, or what share of it is.
    """
    scores, right = scores.ravel(), hits.ravel()
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    gaps = [
        abs(float(scores[bins == b].mean()) - float(right[bins == b].mean())) * int((bins == b).sum())
        for b in range(BINS)
        if (bins == b).any()
    ]
    return sum(gaps) / scores.size
