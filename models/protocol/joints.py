"""The joints of deephar's networks and data sets, by the same names, and conversions between their orders.

`points[..., indices(source, target), :]` are the points of `source`'s order in `target`'s order.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Joints = tuple[str, ...]
Indices = NDArray[np.intp]

PA16: Joints = (
    *("pelvis", "thorax", "neck", "head", "right_shoulder", "left_shoulder", "right_elbow", "left_elbow"),
    *("right_wrist", "left_wrist", "right_hip", "left_hip", "right_knee", "left_knee", "right_ankle", "left_ankle"),
)
PA17: Joints = (*PA16, "spine")
PA20: Joints = (*PA16[:10], "right_hand", "left_hand", *PA16[10:], "right_foot", "left_foot")

# The order of the joints in the data sets' files; "-" is a joint that no network has.
MPII: Joints = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax"),
    *("neck", "head", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist"),
)
H36M: Joints = (
    *("pelvis", "right_hip", "right_knee", "right_ankle", "right_foot", "-"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "-"),
    *("spine", "thorax", "neck", "-", "head"),
    *("-", "left_shoulder", "left_elbow", "left_wrist", "-", "-", "left_hand", "-"),
    *("-", "right_shoulder", "right_elbow", "right_wrist", "-", "-", "right_hand", "-"),
)
# As in the original the joints that NTU and Penn Action call left stand where the networks say right, and the other way
# round: the networks learned them so. A name here is the network's name, not the data set's.
NTU: Joints = (
    *("pelvis", "spine", "neck", "head"),
    *("right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_hip", "right_knee", "right_ankle", "right_foot"),
    *("left_hip", "left_knee", "left_ankle", "left_foot"),
    *("thorax", "-", "-", "-", "-"),
)
PENN: Joints = PA16[3:]
LSP: Joints = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow", "left_wrist", "neck", "head"),
)
COCO: Joints = (
    *("-", "-", "-", "-", "-", "left_shoulder", "right_shoulder", "left_elbow", "right_elbow"),
    *("left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)


def indices(source: Sequence[str], target: Sequence[str]) -> Indices:
    """The index in `source` of each joint of `target`.

    Raises:
        ValueError: Names the joints that `source` lacks.
    """
    missing = [joint for joint in target if joint not in source or joint == "-"]
    if missing:
        raise ValueError(f"the source has no {', '.join(missing)}; choose a target without them")
    return np.array([source.index(joint) for joint in target], np.intp)


def spread(points: ArrayLike, source: Sequence[str], target: Sequence[str]) -> NDArray[np.float64]:
    """Points (..., K of source, D) in the larger order `target`; joints that `source` lacks are NaN."""
    values = np.asarray(points, np.float64)
    out = np.full((*values.shape[:-2], len(target), values.shape[-1]), np.nan)
    out[..., indices(target, source), :] = values
    return out


def flip_indices(joints: Sequence[str]) -> Indices:
    """The permutation of a mirrored person's joints: left and right change places."""
    return indices(joints, [_other_side(joint) for joint in joints])


def mirror_pose(pose_crop: ArrayLike, joints: Sequence[str]) -> NDArray[np.float64]:
    """A pose (..., K, D) of the mirrored crop as one of the plain crop, and back: x -> 1 - x, sides exchanged."""
    mirrored = np.array(pose_crop, np.float64)[..., flip_indices(joints), :]
    mirrored[..., 0] = 1 - mirrored[..., 0]
    return mirrored


def _other_side(joint: str) -> str:
    side, _, rest = joint.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, joint)
