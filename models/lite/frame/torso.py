"""The torso of a person in a picture: the unit of PCK and of all errors here. Also the box that joints lie in."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.lite.layout import HIPS, SHOULDERS

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

LEAST_OF_EXTENT = 0.2  # a torso that points at the camera looks shorter than it is


def bounds(joints: Floats) -> tuple[Floats, Floats]:
    """Least and largest x and y (..., 2) of joints (..., K, 2). NumPy is ten times faster along a first axis."""
    first = np.ascontiguousarray(np.moveaxis(joints, -2, 0))
    return first.min(0), first.max(0)


def torso_size(joints: Floats, valid: Bools | None = None, first_joint: int = 0) -> Floats:
    """The larger diagonal from a shoulder to the opposite hip, at least a fifth of the person's larger side.

    Args:
        joints: (..., K, 2) in any unit, in pa16's order.
        valid: (..., K), which of them are known; all of them where it is absent.
        first_joint: Which of pa16's joints is the first of K.

    Returns:
        (...) in the same unit; 0 for a person without a known joint.
    """
    shoulders, hips = SHOULDERS - first_joint, HIPS[::-1] - first_joint
    diagonals = np.linalg.norm(joints[..., shoulders, :] - joints[..., hips, :], axis=-1)  # (..., 2)
    if valid is None:
        low, high = bounds(joints)
    else:
        diagonals = np.where(valid[..., shoulders] & valid[..., hips], diagonals, 0)
        low = bounds(np.where(valid[..., None], joints, np.inf))[0]
        high = bounds(np.where(valid[..., None], joints, -np.inf))[1]
    extent = np.maximum((high - low).max(-1), 0)
    return np.asarray(np.maximum(diagonals.max(-1), LEAST_OF_EXTENT * extent), np.float32)
