"""Joint layouts as data: names and bones, and the conversion between any two of them.

A joint that the source lacks is the middle of two that it has (a spine), or missing: it has score 0 and no place.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidArgument, quoted


@dataclass(frozen=True)
class Layout:
    """A named order of joints."""

    name: str
    joints: tuple[str, ...]
    edges: tuple[tuple[int, int], ...]  # bones, as pairs of joint indices


def _layout(name: str, joints: str, bones: str) -> Layout:
    names = tuple(joints.split())
    edges = tuple((names.index(a), names.index(b)) for a, b in (bone.split("-") for bone in bones.split()))
    return Layout(name, names, edges)


_LIMBS = (
    "right_shoulder-right_elbow right_elbow-right_wrist left_shoulder-left_elbow left_elbow-left_wrist "
    "right_hip-right_knee right_knee-right_ankle left_hip-left_knee left_knee-left_ankle"
)
_PA16 = (
    "pelvis thorax neck head right_shoulder left_shoulder right_elbow left_elbow right_wrist left_wrist "
    "right_hip left_hip right_knee left_knee right_ankle left_ankle"
)
_PA16_TRUNK = (
    "pelvis-thorax thorax-neck neck-head thorax-right_shoulder thorax-left_shoulder pelvis-right_hip pelvis-left_hip"
)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        _layout("pa16", _PA16, f"{_PA16_TRUNK} {_LIMBS}"),
        _layout(
            "pa17",
            f"{_PA16} spine",
            f"pelvis-spine spine-thorax {_PA16_TRUNK.removeprefix('pelvis-thorax ')} {_LIMBS}",
        ),
        _layout(
            "pa20",
            "pelvis thorax neck head right_shoulder left_shoulder right_elbow left_elbow right_wrist left_wrist "
            "right_hand left_hand right_hip left_hip right_knee left_knee right_ankle left_ankle right_foot left_foot",
            f"{_PA16_TRUNK} {_LIMBS} "
            "right_wrist-right_hand left_wrist-left_hand right_ankle-right_foot left_ankle-left_foot",
        ),
        _layout(
            "mpii16",
            "right_ankle right_knee right_hip left_hip left_knee left_ankle pelvis thorax neck head "
            "right_wrist right_elbow right_shoulder left_shoulder left_elbow left_wrist",
            f"{_PA16_TRUNK} {_LIMBS}",
        ),
        _layout(
            "lsp14",
            "right_ankle right_knee right_hip left_hip left_knee left_ankle right_wrist right_elbow right_shoulder "
            "left_shoulder left_elbow left_wrist neck head",
            f"neck-head neck-right_shoulder neck-left_shoulder right_shoulder-right_hip left_shoulder-left_hip "
            f"right_hip-left_hip {_LIMBS}",
        ),
        _layout(
            "coco17",
            "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
            "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle",
            f"nose-left_eye nose-right_eye left_eye-left_ear right_eye-right_ear left_shoulder-right_shoulder "
            f"right_shoulder-right_hip left_shoulder-left_hip right_hip-left_hip {_LIMBS}",
        ),
        _layout(
            "h36m17",
            "pelvis right_hip right_knee right_ankle left_hip left_knee left_ankle spine thorax neck head "
            "left_shoulder left_elbow left_wrist right_shoulder right_elbow right_wrist",
            f"pelvis-spine spine-thorax {_PA16_TRUNK.removeprefix('pelvis-thorax ')} {_LIMBS}",
        ),
        _layout(
            "openpose18",
            "nose shoulder_middle right_shoulder right_elbow right_wrist left_shoulder left_elbow left_wrist right_hip "
            "right_knee right_ankle left_hip left_knee left_ankle right_eye left_eye right_ear left_ear",
            f"shoulder_middle-nose nose-right_eye nose-left_eye right_eye-right_ear left_eye-left_ear "
            f"shoulder_middle-right_shoulder shoulder_middle-left_shoulder shoulder_middle-right_hip "
            f"shoulder_middle-left_hip {_LIMBS}",
        ),
    )
}

_MIDDLES = {
    "pelvis": ("right_hip", "left_hip"),
    "thorax": ("right_shoulder", "left_shoulder"),
    "shoulder_middle": ("right_shoulder", "left_shoulder"),
    "spine": ("pelvis", "thorax"),
}


def convert(
    keypoints: NDArray[np.float32], scores: NDArray[np.float32], source: Layout, target: Layout
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Converts keypoints from one layout to another.

    Args:
        keypoints: (..., K, D), in any coordinates.
        scores: (..., K).
        source: The layout of K joints.
        target: The layout of K' joints to convert to.

    Returns:
        Keypoints (..., K', D) in the same coordinates, and scores (..., K'). The score of a middle is the lower one of
        its two joints; a missing joint is NaN, with score 0.
    """
    if source is target:
        return keypoints, scores
    points, confidence = [], []
    for joint in target.joints:
        if joint in source.joints:
            index = source.joints.index(joint)
            points.append(keypoints[..., index, :])
            confidence.append(scores[..., index])
        elif joint in _MIDDLES and set(_MIDDLES[joint]) <= set(source.joints):
            a, b = (source.joints.index(end) for end in _MIDDLES[joint])
            points.append((keypoints[..., a, :] + keypoints[..., b, :]) / np.float32(2))
            confidence.append(np.minimum(scores[..., a], scores[..., b]))
        else:
            points.append(np.full_like(keypoints[..., 0, :], np.nan))
            confidence.append(np.zeros_like(scores[..., 0]))
    return np.stack(points, axis=-2), np.stack(confidence, axis=-1)


def mirror_order(layout: Layout) -> list[int]:
    """Returns for each joint the index of its left-right counterpart; of a joint in the middle its own."""

    def opposite(joint: str) -> str:
        side, _, rest = joint.partition("_")
        return {"right": f"left_{rest}", "left": f"right_{rest}"}.get(side, joint)

    return [layout.joints.index(opposite(joint)) for joint in layout.joints]


def layout_named(name: str) -> Layout:
    """Returns the layout of this name.

    Raises:
        InvalidArgument: There is none.
    """
    try:
        return LAYOUTS[name]
    except KeyError:
        raise InvalidArgument(f"there is no layout {quoted(name)}; choose one of {', '.join(LAYOUTS)}") from None
