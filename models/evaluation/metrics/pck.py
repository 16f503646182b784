"""Percentage of correct keypoints: PCKh of MPII, PCK by the torso of LSP, their curves and areas.

PCKh: Andriluka et al., 2D Human Pose Estimation: New Benchmark and State of the Art Analysis, CVPR 2014. PCK by the
torso: Sapp & Taskar, MODEC, CVPR 2013, with the torso from the left shoulder to the right hip.

In all functions predictions and truth are (N, K, >= 2) in pixels of the picture, and `valid` (N, K) are the joints
that count. A missing prediction (NaN) is a miss. Results are tallies of N people in K columns, as shares 0..1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.tally import Tally, tally
from models.protocol.joints import indices

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PCKH_LEFT_OUT = ("pelvis", "thorax")  # which MPII's own evaluation leaves out
TORSO = ("left_shoulder", "right_hip")
CURVE_STEPS = 50  # of MPII's evaluation: 0, 0.01 .. 0.5


def pckh(
    predicted_px: ArrayLike,
    truth_px: ArrayLike,
    head_size_px: ArrayLike,
    valid: ArrayLike,
    threshold: float = 0.5,
    *,
    joints: Sequence[str],
    leave_out: Sequence[str] = PCKH_LEFT_OUT,
) -> Tally:
    """PCKh: a hit lies within `threshold` head sizes of the truth.

    Args:
        predicted_px: (N, K, >= 2).
        truth_px: (N, K, >= 2).
        head_size_px: (N,) or (N, 1): 0.6 of the head box's diagonal.
        valid: (N, K).
        threshold: In head sizes.
        joints: Names of the K joints.
        leave_out: Joints that do not count.

    Raises:
        ValueError: A head has no size.
    """
    return pck(predicted_px, truth_px, _head_sizes(head_size_px), without(valid, joints, leave_out), threshold)


def pckh_auc(
    predicted_px: ArrayLike,
    truth_px: ArrayLike,
    head_size_px: ArrayLike,
    valid: ArrayLike,
    limit: float = 0.5,
    *,
    joints: Sequence[str],
    leave_out: Sequence[str] = PCKH_LEFT_OUT,
) -> Tally:
    """The area under PCKh's curve from 0 to `limit`, as a share of the whole: by trapezoids of 0.01, as MPII's own."""
    distances = normalised_distances(predicted_px, truth_px, _head_sizes(head_size_px))
    return _area(distances, without(valid, joints, leave_out), limit)


def pck_torso(
    predicted_px: ArrayLike, truth_px: ArrayLike, valid: ArrayLike, threshold: float = 0.2, *, joints: Sequence[str]
) -> Tally:
    """PCK by the torso. People without an annotated torso (or one without length) do not count."""
    torso = torso_size_px(truth_px, valid, joints)
    counted = np.asarray(valid, bool) & np.isfinite(torso)[:, None]
    return pck(predicted_px, truth_px, torso, counted, threshold)


def torso_size_px(truth_px: ArrayLike, valid: ArrayLike, joints: Sequence[str]) -> Floats:
    """(N,), from the left shoulder to the right hip; NaN where one of them is missing or both are in one place."""
    ends = indices(joints, TORSO)
    shoulder, hip = np.moveaxis(np.asarray(truth_px, np.float64)[:, ends, :2], 1, 0)
    size = np.linalg.norm(shoulder - hip, axis=-1)
    known = np.asarray(valid, bool)[:, ends].all(axis=1) & (size > 0)
    return np.where(known, size, np.nan)


def pck(
    predicted_px: ArrayLike, truth_px: ArrayLike, reference_px: ArrayLike, valid: ArrayLike, threshold: float
) -> Tally:
    """Hits within `threshold` times a reference length (N,)."""
    return tally(normalised_distances(predicted_px, truth_px, reference_px) <= threshold, valid)


def pck_curve(
    predicted_px: ArrayLike, truth_px: ArrayLike, reference_px: ArrayLike, valid: ArrayLike, thresholds: ArrayLike
) -> Floats:
    """The total at each threshold (T,), for a plot."""
    distances = normalised_distances(predicted_px, truth_px, reference_px)
    counted = np.sort(np.nan_to_num(distances[np.asarray(valid, bool)], nan=np.inf))
    if not counted.size:
        return np.full(np.shape(thresholds), np.nan)
    return np.searchsorted(counted, np.asarray(thresholds, np.float64), side="right") / counted.size


def normalised_distances(predicted_px: ArrayLike, truth_px: ArrayLike, reference_px: ArrayLike) -> Floats:
    """(N, K), in reference lengths (N,)."""
    difference = np.asarray(predicted_px, np.float64)[..., :2] - np.asarray(truth_px, np.float64)[..., :2]
    return np.sqrt((difference**2).sum(axis=-1)) / np.asarray(reference_px, np.float64).reshape(-1, 1)


def without(valid: ArrayLike, joints: Sequence[str], leave_out: Sequence[str]) -> Bools:
    """`valid` (N, K) without the joints of these names."""
    kept = np.array([joint not in leave_out for joint in joints], bool)
    return np.asarray(valid, bool) & kept


def _head_sizes(head_size_px: ArrayLike) -> Floats:
    sizes = np.asarray(head_size_px, np.float64).ravel()
    if not (sizes > 0).all():
        raise ValueError(f"head sizes must be above 0; wrong are people {np.flatnonzero(~(sizes > 0)).tolist()[:10]}")
    return sizes


def _area(distances: Floats, valid: Bools, limit: float) -> Tally:
    """Each joint's own curve is 0 before its distance and 1 from there: its area is a sum of trapezoids."""
    thresholds = np.linspace(0, limit, CURVE_STEPS + 1)
    weights = np.full(CURVE_STEPS + 1, 1.0)
    weights[[0, -1]] = 0.5
    area_from = np.append(np.cumsum(weights[::-1])[::-1], 0.0) / CURVE_STEPS
    first = np.searchsorted(thresholds, np.nan_to_num(distances, nan=np.inf), side="left")
    return tally(area_from[first], valid)
