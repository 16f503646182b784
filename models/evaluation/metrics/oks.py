"""Average precision by object keypoint similarity on COCO: pycocotools' own evaluation, with intervals.

Lin et al., Microsoft COCO, ECCV 2014, and cocodataset.org. A network without a face is judged by the joints it has:
`limited_to` takes the others out of the truth. Such a figure stands for itself, not beside the leaderboard's.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.bootstrap import LEVEL, RESAMPLES, draw_counts, percentiles
from models.evaluation.metrics.figure import Figure
from models.evaluation.metrics.tally import Tally, tally

Floats = NDArray[np.float64]

COCO17 = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def coco_result(image_id: int, keypoints_px: ArrayLike, score: float, joints: Sequence[str]) -> dict[str, Any]:
    """One person (K, >= 2) in COCO's form of results; joints that COCO lacks are dropped, those missing are (0, 0)."""
    raise NotImplementedError


def limited_to(truth: dict[str, Any], joints: Sequence[str]) -> dict[str, Any]:
    """COCO's annotations (the JSON's content) with only these joints labelled, and `num_keypoints` counted anew."""
    raise NotImplementedError


def oks_ap(
    truth: dict[str, Any],
    results: Sequence[dict[str, Any]],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Figure]:
    """AP, AP50, AP75, AP_M, AP_L and AR in per cent, with intervals over pictures.

    Args:
        truth: The content of person_keypoints_*.json; all its pictures are evaluated.
        results: Of `coco_result`.
        resamples: For the intervals.
        level: Of the intervals.
        seed: Of the intervals.
    """
    raise NotImplementedError


def oks(predicted_px: ArrayLike, truth_px: ArrayLike, valid: ArrayLike, area_px: ArrayLike) -> Tally:
    """Object keypoint similarity of people (N, 17, >= 2) to their own annotation: one column, people with joints.

    Args:
        predicted_px: In COCO's order. NaN has no similarity.
        truth_px: In COCO's order.
        valid: (N, 17).
        area_px: (N,), of the annotated person.
    """
    raise NotImplementedError
