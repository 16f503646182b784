"""Percentage of correct parts of LSP, person-centric: a person's left arm is the annotated left arm.

Ferrari et al., Progressive Search Space Reduction for Human Pose Estimation, CVPR 2008. The ten parts are those of
Yang & Ramanan's and of LSP's published evaluations: the torso goes from between the shoulders to between the hips, the
head from the neck to its top.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.tally import Tally, tally
from models.protocol.joints import indices

# Each end of a part is the mean of its joints.
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "torso": (("right_shoulder", "left_shoulder"), ("right_hip", "left_hip")),
    "right_upper_leg": (("right_hip",), ("right_knee",)),
    "left_upper_leg": (("left_hip",), ("left_knee",)),
    "right_lower_leg": (("right_knee",), ("right_ankle",)),
    "left_lower_leg": (("left_knee",), ("left_ankle",)),
    "right_upper_arm": (("right_shoulder",), ("right_elbow",)),
    "left_upper_arm": (("left_shoulder",), ("left_elbow",)),
    "right_forearm": (("right_elbow",), ("right_wrist",)),
    "left_forearm": (("left_elbow",), ("left_wrist",)),
    "head": (("neck",), ("head",)),
}


def pcp(
    predicted_px: ArrayLike,
    truth_px: ArrayLike,
    valid: ArrayLike,
    *,
    joints: Sequence[str],
    strict: bool = True,
    threshold: float = 0.5,
) -> Tally:
    """PCP: a part is right when its ends lie within `threshold` times its true length.

    Args:
        predicted_px: (N, K, >= 2). NaN is a miss.
        truth_px: (N, K, >= 2).
        valid: (N, K). A part counts where all its joints do.
        joints: Names of the K joints.
        strict: Both ends must; otherwise (loose) the mean of their distances must.
        threshold: In lengths of the part.

    Returns:
        A column for each of `PARTS`.
    """
    guess, true = np.asarray(predicted_px, np.float64), np.asarray(truth_px, np.float64)
    known = np.asarray(valid, bool)
    correct, counted = [], []
    for ends in PARTS.values():
        places = [indices(joints, end) for end in ends]
        (start, stop), (true_start, true_stop) = _ends(guess, places), _ends(true, places)
        limit = threshold * np.linalg.norm(true_start - true_stop, axis=-1)
        distances = np.stack(
            [np.linalg.norm(start - true_start, axis=-1), np.linalg.norm(stop - true_stop, axis=-1)]
        )  # (2, N)
        correct.append((distances.max(axis=0) if strict else distances.mean(axis=0)) <= limit)
        counted.append(known[:, np.concatenate(places)].all(axis=1))
    return tally(np.stack(correct, axis=1), np.stack(counted, axis=1))


def _ends(points: NDArray[np.float64], places: list[NDArray[np.intp]]) -> list[NDArray[np.float64]]:
    return [points[:, place, :2].mean(axis=1) for place in places]
