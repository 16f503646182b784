"""The window of the image that a network takes, by data set, and the one around predicted poses."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.protocol.crop import map_points
from models.protocol.window import Window, union

Mask = NDArray[np.bool_]

POSE_MARGIN = 1.5  # a box around joints leaves out the flesh around them
SELECTION_THRESHOLD = 0.25


def mpii_window(centre_px: tuple[float, float], scale: float) -> Window:
    """From MPII's annotated centre (`objpos`) and scale (person's height / 200 px): 1.25 times larger, a bit lower."""
    enlarged = 1.25 * scale
    x, y = centre_px
    return Window(x, y + 12 * enlarged, 200 * enlarged, 200 * enlarged)


def h36m_window(root_uvz: ArrayLike, image_size: tuple[int, int], focal_px: ArrayLike) -> Window:
    """A square of about 2.25 m around the projected root joint (u px, v px, z mm), at the root's depth.

    As in the original it lies one pixel lower than the root, and a clip takes the root of its FIRST frame for all.
    """
    u, v, z = (float(value) for value in np.asarray(root_uvz, np.float64))
    side = float(2.25 * (np.asarray(image_size) * np.asarray(focal_px, np.float64) / z).max())
    return Window(u, v + 1, side, side)


def clip_window(
    poses_px: ArrayLike, visible: ArrayLike, image_size: tuple[int, int], margin: float = POSE_MARGIN
) -> Window:
    """The union of the squares around the first, the middle and the last frame's pose; in general not square.

    Args:
        poses_px: Annotated poses (T, K, >= 2) in pixels of the image.
        visible: (T, K). A frame without a visible joint counts as the whole image.
        image_size: Width and height in pixels.
        margin: Side of a square over the longer side of the joints' box.

    Raises:
        ValueError: There is no frame.
    """
    poses, seen = np.asarray(poses_px, np.float64), np.asarray(visible) > 0
    return union(
        _around(poses[frame], seen[frame]).enlarged_square(margin)
        if seen[frame].any()
        else Window.from_corners(0, 0, *image_size)
        for frame in key_frames(len(poses))
    )


def key_frames(frames: int) -> tuple[int, int, int]:
    """First, middle and last index of a clip.

    Raises:
        ValueError: There is no frame.
    """
    if frames < 1:
        raise ValueError("a clip needs at least one frame")
    return 0, min(int(frames / 2 + 0.5), frames - 1), frames - 1


def predicted_window(poses_crop: ArrayLike, selected: Mask, affine: ArrayLike, margin: float = POSE_MARGIN) -> Window:
    """The union, over the frames, of the squares around predicted poses; in pixels of the image.

    The squares are made in the crop. The original stores boxes cut to pixels: see `Window.cut_to_pixels`.

    Args:
        poses_crop: (T, K, >= 2) in 0..1 of the crop.
        selected: (T, K), the joints that count.
        affine: (3, 3), from pixels of the image to 0..1 of the crop.
        margin: Side of a square over the longer side of the joints' box.

    Raises:
        ValueError: A frame has no selected joint.
    """
    poses = np.asarray(poses_crop, np.float64)
    empty = np.flatnonzero(~selected.any(axis=-1))
    if empty.size:
        raise ValueError(f"no joint is selected in frames {empty.tolist()}; leave them out or take the whole image")
    around = union(_around(pose, mask).enlarged_square(margin) for pose, mask in zip(poses, selected, strict=True))
    left, top, right, bottom = around.corners
    corners = map_points(np.linalg.inv(np.asarray(affine, np.float64)), [(left, top), (right, bottom)])
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)  # a mirrored crop exchanges left and right
    return Window.from_corners(float(left), float(top), float(right), float(bottom))


def confident_joints(predictions: ArrayLike, threshold: float = SELECTION_THRESHOLD) -> Mask:
    """Joints of SPNet's output (..., K, D + 1) whose confidence, the last channel, exceeds the threshold."""
    confident: Mask = np.asarray(predictions)[..., -1] > threshold
    return confident


def joints_as_published(predictions: ArrayLike, threshold: float = SELECTION_THRESHOLD) -> Mask:
    """The original's selection, needed to make its boxes again: channel -2, that is y (2D) or z (3D), by mistake."""
    chosen: Mask = np.asarray(predictions)[..., -2] > threshold
    return chosen


def _around(points: NDArray[np.float64], mask: Mask) -> Window:
    """The tightest window around the masked ones of points (K, >= 2)."""
    low, high = points[mask, :2].min(axis=0), points[mask, :2].max(axis=0)
    return Window.from_corners(float(low[0]), float(low[1]), float(high[0]), float(high[1]))
