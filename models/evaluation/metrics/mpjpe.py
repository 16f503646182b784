"""Errors of 3D poses: MPJPE, its forms after alignment, and PCK3D.

MPJPE and P-MPJPE: protocols 1 and 2 of Human3.6M as the field names them (Martinez et al., ICCV 2017). N-MPJPE: Rhodin
et al., CVPR 2018. PCK3D and its area: Mehta et al., Monocular 3D Human Pose Estimation in the Wild, 3DV 2017.

In all functions predictions and truth are (N, K, 3) in mm, and `valid` (N, K) are the joints that count, all if it is
None. Results are tallies of N poses in K columns, in mm or as shares 0..1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.tally import Tally, tally

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

ROOT = 0  # the pelvis, of pa16, pa17 and pa20
PCK3D_MM = 150.0
PCK3D_STEPS = 30  # of MPI-INF-3DHP's evaluation: 0, 5 .. 150 mm


def mpjpe(
    predicted_mm: ArrayLike,
    truth_mm: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    leave_out_root: bool = False,
    root: int = ROOT,
) -> Tally:
    """Mean distance of the joints when both roots lie in the origin.

    Args:
        predicted_mm: (N, K, 3), of the world or the camera.
        truth_mm: (N, K, 3), of the same frame.
        valid: (N, K). A pose whose root is not valid does not count.
        leave_out_root: The root's error is 0 by construction. The original counts it all the same, which makes the
            mean 1/K smaller; the strict protocol does not.
        root: The root's index.

    Raises:
        ValueError: A prediction that counts is not finite.
    """
    counted = _mask(truth_mm, valid)
    counted = counted & counted[:, [root]]
    return _errors(
        relative_to_root(predicted_mm, root), relative_to_root(truth_mm, root), counted, root, leave_out_root
    )


def n_mpjpe(
    predicted_mm: ArrayLike,
    truth_mm: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    leave_out_root: bool = False,
    root: int = ROOT,
) -> Tally:
    """MPJPE after the root-relative prediction is scaled by the factor of least squares."""
    counted = _mask(truth_mm, valid)
    counted = counted & counted[:, [root]]
    truth = relative_to_root(truth_mm, root)
    scaled = scale_to(relative_to_root(predicted_mm, root), truth, counted)
    return _errors(scaled, truth, counted, root, leave_out_root)


def p_mpjpe(
    predicted_mm: ArrayLike,
    truth_mm: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    leave_out_root: bool = False,
    root: int = ROOT,
) -> Tally:
    """MPJPE after the best similarity transform (Procrustes: rotation, scale and shift; no reflection).

    The root is not in the origin then and has an error like any other joint: `leave_out_root` is only for those who
    compare with figures that leave it out.
    """
    counted = _mask(truth_mm, valid)
    return _errors(procrustes(predicted_mm, truth_mm, counted), truth_mm, counted, root, leave_out_root)


def mean_distance(predicted_mm: ArrayLike, truth_mm: ArrayLike, valid: ArrayLike | None = None) -> Tally:
    """Distances as they are, with nothing moved (the original's `mean_distance_error`)."""
    return _errors(predicted_mm, truth_mm, _mask(truth_mm, valid), ROOT, leave_out_root=False)


def pck3d(
    predicted_mm: ArrayLike,
    truth_mm: ArrayLike,
    valid: ArrayLike | None = None,
    threshold_mm: float = PCK3D_MM,
    *,
    leave_out_root: bool = True,
    root: int = ROOT,
) -> Tally:
    """The share of joints within `threshold_mm`. Points as they are: pass `relative_to_root` of both."""
    errors = mean_distance(predicted_mm, truth_mm, valid)
    counted = _without_root(errors.counts > 0, root, leave_out_root)
    return tally(errors.sums <= threshold_mm, counted)


def pck3d_auc(
    predicted_mm: ArrayLike,
    truth_mm: ArrayLike,
    valid: ArrayLike | None = None,
    *,
    leave_out_root: bool = True,
    root: int = ROOT,
) -> Tally:
    """The mean of PCK3D over 0, 5 .. 150 mm. Points as they are: pass `relative_to_root` of both."""
    errors = mean_distance(predicted_mm, truth_mm, valid)
    counted = _without_root(errors.counts > 0, root, leave_out_root)
    thresholds = np.linspace(0, PCK3D_MM, PCK3D_STEPS + 1)
    passed = len(thresholds) - np.searchsorted(thresholds, errors.sums, side="left")
    return tally(passed / len(thresholds), counted)


def relative_to_root(points: ArrayLike, root: int = ROOT) -> Floats:
    """Points (..., K, D) with the root in the origin."""
    values = np.asarray(points, np.float64)
    return values - values[..., [root], :]


def scale_to(points: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> Floats:
    """Points (N, K, D) times the factor of each pose that brings them closest to the truth in least squares."""
    guess, true, weights = _masked(points, truth, valid)
    squares = (guess**2 * weights).sum(axis=(1, 2))
    factor = np.divide((guess * true * weights).sum(axis=(1, 2)), squares, out=np.zeros(len(guess)), where=squares > 0)
    return np.asarray(points, np.float64) * factor[:, None, None]


def procrustes(points: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> Floats:
    """Points (N, K, D) after the similarity transform of each pose that brings them closest in least squares.

    Umeyama, Least-squares estimation of transformation parameters between two point patterns, PAMI 1991.
    """
    guess, true, weights = _masked(points, truth, valid)
    share = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1)
    guess_centre, true_centre = (guess * share).sum(axis=1, keepdims=True), (true * share).sum(axis=1, keepdims=True)
    guess, true = (guess - guess_centre) * weights, (true - true_centre) * weights
    left, stretch, right = np.linalg.svd(np.swapaxes(guess, 1, 2) @ true)
    sign = np.sign(np.linalg.det(left @ right))
    left[:, :, -1] *= sign[:, None]
    stretch[:, -1] *= sign
    squares = (guess**2).sum(axis=(1, 2))
    scale = np.divide(stretch.sum(axis=1), squares, out=np.zeros(len(guess)), where=squares > 0)
    moved = np.asarray(points, np.float64) - guess_centre
    return scale[:, None, None] * (moved @ left @ right) + true_centre


def _errors(predicted: ArrayLike, truth: ArrayLike, counted: Bools, root: int, leave_out_root: bool) -> Tally:
    difference = np.asarray(predicted, np.float64) - np.asarray(truth, np.float64)
    distances = np.sqrt((difference**2).sum(axis=-1))
    lost = np.flatnonzero((counted & ~np.isfinite(distances)).any(axis=1))
    if lost.size:
        raise ValueError(f"predictions must be finite; wrong are poses {lost.tolist()[:10]}")
    return tally(distances, _without_root(counted, root, leave_out_root))


def _without_root(counted: Bools, root: int, leave_out: bool) -> Bools:
    kept = counted.copy()
    if leave_out:
        kept[:, root] = False
    return kept


def _mask(truth: ArrayLike, valid: ArrayLike | None) -> Bools:
    shape = np.shape(truth)[:2]
    return np.ones(shape, bool) if valid is None else np.broadcast_to(np.asarray(valid, bool), shape).copy()


def _masked(points: ArrayLike, truth: ArrayLike, valid: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Both (N, K, D) with 0 where a joint does not count, and its weight 0 or 1 (N, K, 1)."""
    mask = np.asarray(valid, bool)[..., None]
    return (
        np.where(mask, np.asarray(points, np.float64), 0.0),
        np.where(mask, np.asarray(truth, np.float64), 0.0),
        mask.astype(np.float64),
    )
