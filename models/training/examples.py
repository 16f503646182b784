"""A sample of a data set as a network learns it: crops, and the truth in the network's layout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.samples import Clip, H36mPerson, Person
from models.protocol.boxes import POSE_MARGIN, clip_window
from models.protocol.camera import depth_to_crop
from models.protocol.crop import CropPlan, cut, inside_crop, map_points, plan_crop, to_network_range
from models.protocol.joints import Joints, flip_indices, indices, spread
from models.protocol.window import Window
from models.training.augmentation import Variation
from models.training.losses import UNKNOWN

Floats = NDArray[np.float64]

NO_SUCH_JOINT = -1.0


@dataclass(frozen=True, eq=False)
class Example:
    """T pictures."""

    pictures: NDArray[np.float32]  # (T, 3, H, W) in -1..1
    poses: NDArray[np.float32]  # (T, K, D) in 0..1 of the crop
    visibility: NDArray[np.float32]  # (T, K): 1, 0, or NO_SUCH_JOINT in this data set


@dataclass(frozen=True, eq=False)
class Truth:
    """The truth of T crops in a network's layout."""

    poses: Floats  # (T, K, D)
    visibility: Floats  # (T, K)


def of_person(person: Person, layout: Joints, dims: int, variation: Variation, size: int = 256) -> Example:
    """One picture of `size` x `size`."""
    window = person.window
    window = replace(window, width=window.width * variation.scale, height=window.height * variation.scale)
    plan = _plan(person.image_size, window, variation, size)
    points = person.uvz if isinstance(person, H36mPerson) else person.keypoints_px
    truth = truth_of(points[None], person.joints, plan, layout, dims, variation.scale)
    return _example([person.read()], plan, truth, variation)


def of_clip(
    clip: Clip, frames: Sequence[int], layout: Joints, dims: int, variation: Variation, size: int = 256
) -> Example:
    """Frames of a clip in one window, around the annotated poses of the joints that the network has."""
    chosen = list(frames)
    points = clip.keypoints[chosen]
    bounding = indices(clip.joints, _shared(clip.joints, layout))
    seen = clip.visible[chosen][:, bounding]
    window = clip_window(points[:, bounding], seen, clip.image_size, POSE_MARGIN * variation.scale)
    plan = _plan(clip.image_size, window, variation, size)
    truth = truth_of(points, clip.joints, plan, layout, dims, variation.scale)
    return _example([clip.read(frame) for frame in chosen], plan, truth, variation)


def truth_of(points: Floats, joints: Joints, plan: CropPlan, layout: Joints, dims: int, scale: float) -> Truth:
    """Annotated points in the crop and in the network's layout.

    Joints outside of the crop and those not annotated are hidden and have no coordinates; joints that the data set does
    not have are left out of the losses, and so is the depth where the data set has none.

    Args:
        points: (T, K', 2 or 3), x px, y px of the picture and depth mm.
        joints: The names of the K'.
        plan: Of the crops.
        layout: The network's joints.
        dims: Of the network's poses.
        scale: Of the window; depths go along.
    """
    shared = _shared(joints, layout)
    known = points[..., indices(joints, shared), :]
    poses = np.full((*known.shape[:-1], dims), np.nan)
    poses[..., :2] = map_points(plan.affine, known)
    if dims == 3 and points.shape[-1] == 3:
        poses[..., 2] = (depth_to_crop(known[..., 2], _root_depth(known[..., 2], shared)) - 0.5) / scale + 0.5
    visibility = inside_crop(poses).astype(np.float64)
    poses[visibility == 0] = np.nan
    poses, visibility = spread(poses, shared, layout), spread(visibility[..., None], shared, layout)[..., 0]
    if plan.mirror:
        other_side = flip_indices(layout)
        poses, visibility = poses[..., other_side, :], visibility[..., other_side]
    return Truth(np.nan_to_num(poses, nan=UNKNOWN), np.nan_to_num(visibility, nan=NO_SUCH_JOINT))


def _shared(joints: Joints, layout: Joints) -> Joints:
    return tuple(joint for joint in joints if joint in layout)


def _root_depth(depths: Floats, joints: Joints) -> Any:
    """Of all frames: the mean of the root's, or of all joints' where the root is not annotated; (1,)."""
    root = depths[..., joints.index("pelvis")]
    values = root if np.isfinite(root).any() else depths
    values = values[np.isfinite(values)]
    return np.array([values.mean() if values.size else 0.0])


def _plan(image_size: tuple[int, int], window: Window, variation: Variation, size: int) -> CropPlan:
    window = window.at_least_smallest()
    shift_x, shift_y = (variation.scale * shift for shift in variation.shift_px)
    window = replace(window, centre_x=window.centre_x + shift_x, centre_y=window.centre_y + shift_y)
    return plan_crop(image_size, window, (size, size), mirror=variation.mirror, angle_deg=variation.angle_deg)


def _example(images: list[NDArray[np.uint8]], plan: CropPlan, truth: Truth, variation: Variation) -> Example:
    crops = [to_network_range(cut(image, plan), variation.powers).transpose(2, 0, 1) for image in images]
    poses, visibility = truth.poses.astype(np.float32), truth.visibility.astype(np.float32)
    return Example(np.stack(crops), poses, visibility)
