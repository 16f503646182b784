"""How a detected person's score is made of two. Needs no pydantic: training fits the rule."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.floating]

SMALLEST = 1e-3  # distance of a probability from 0 and 1


@dataclass(frozen=True)
class ScoreRule:
    """The sigmoid of a weighted sum of the logits of two scores."""

    bias: float
    keypoints: float  # weight of the mean keypoint score's logit
    detection: float  # weight of the detection score's logit

    def score(self, keypoints: Scores, detection: Scores) -> Scores:
        """Returns the scores (N,) of people with these mean keypoint scores (N,) and detection scores (N,)."""
        summed = self.bias + self.keypoints * logit(keypoints, SMALLEST) + self.detection * logit(detection, SMALLEST)
        return np.asarray(1 / (1 + np.exp(-summed)))


def logit(probabilities: Scores, smallest: float) -> Scores:
    """The inverse of the sigmoid, of probabilities no nearer to 0 and 1 than `smallest`."""
    clipped = np.clip(probabilities, smallest, 1 - smallest)
    return np.asarray(np.log(clipped / (1 - clipped)))
