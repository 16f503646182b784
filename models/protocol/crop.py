"""From an image to a network's input: window, resize, mirror, colours, and the map of coordinates that goes along.

The affine map takes pixels of the image (`_px`) to 0..1 of the crop (`_crop`). Pixel coordinates are not shifted by
half a pixel, as in the original: the image's corner, not the middle of its first pixel, is (0, 0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from models.protocol.window import Window

Pixels = NDArray[np.uint8]  # (H, W, 3), RGB
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CropPlan:
    """Where a crop is cut: made once, used for all frames of a clip."""

    corners: tuple[int, int, int, int]  # left, top, right, bottom in the (rotated) image
    size: tuple[int, int]  # width, height of the crop
    mirror: bool
    angle_deg: float
    affine: Floats  # (3, 3), image px -> 0..1 of the crop


def plan_crop(
    image_size: tuple[int, int],
    window: Window,
    size: tuple[int, int] = (256, 256),
    *,
    mirror: bool = False,
    angle_deg: float = 0.0,
) -> CropPlan:
    """The crop of `window` from an image of `image_size` (width, height), as a picture of `size` (width, height).

    Each corner is cut to a whole pixel on its own and toward zero, as in the original, so a square window can become
    one pixel off square.

    Args:
        image_size: Width and height of the image in pixels.
        window: In pixels of the image.
        size: Width and height of the crop in its own pixels.
        mirror: Whether the crop is flipped from left to right.
        angle_deg: Training only: rotates the image counter-clockwise before the window is cut around the rotated
            centre. The map's origin is the smallest rotated corner; Pillow's canvas starts up to a pixel off that.

    Raises:
        ValueError: The window holds no whole pixel.
    """
    turn = _rotation(angle_deg)
    image_width, image_height = image_size
    image_corners = np.array([(0, 0), (image_width, 0), (0, image_height), (image_width, image_height)], np.float64)
    origin = (image_corners @ turn.T).min(axis=0)
    centre_x, centre_y = turn @ (window.centre_x, window.centre_y) - origin
    corners = Window(float(centre_x), float(centre_y), window.width, window.height).corners
    left, top, right, bottom = (int(corner) for corner in corners)
    if right <= left or bottom <= top:
        raise ValueError(f"{window} holds no whole pixel; enlarge it (Window.at_least_smallest)")

    width, height = size
    affine = np.eye(3)
    affine[:2, :2] = turn
    affine[:2, 2] = -origin - (left, top)
    affine = np.diag([width / (right - left), height / (bottom - top), 1.0]) @ affine
    if mirror:
        affine = np.array([[-1.0, 0.0, width], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]) @ affine
    affine = np.diag([1 / width, 1 / height, 1.0]) @ affine
    return CropPlan((left, top, right, bottom), size, mirror, angle_deg, affine)


def cut(image: Pixels | Image.Image, plan: CropPlan) -> Pixels:
    """The crop (height, width, 3) of an RGB image: pixels (H, W, 3), or Pillow's. Outside of the image it is black.

    Pillow's bilinear resize averages where it shrinks; other libraries' bilinear does not and gives other numbers.
    """
    picture = image if isinstance(image, Image.Image) else Image.fromarray(image)
    if plan.angle_deg:
        picture = picture.rotate(plan.angle_deg, Image.Resampling.BILINEAR, expand=True)
    picture = picture.crop(plan.corners).resize(plan.size, Image.Resampling.BILINEAR)
    if plan.mirror:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return np.array(picture)  # a copy: Pillow's own memory is read-only


def to_network_range(pixels: Pixels, power: ArrayLike = 1.0) -> NDArray[np.float32]:
    """Pixels (H, W, 3) in 0..255 to -1..1: 2 ((v / 255) ** power - 0.5).

    The original's formula, with its augmentation: `power`, one or one for each colour, is 1 in evaluation.
    """
    share = pixels.astype(np.float32) / np.float32(255)
    return np.float32(2) * (np.power(share, np.asarray(power, np.float32)) - np.float32(0.5))


def map_points(affine: ArrayLike, points: ArrayLike) -> Floats:
    """x, y of points (..., K, >= 2) mapped by affine (..., 3, 3): (..., K, 2)."""
    matrix = np.asarray(affine, np.float64)
    xy = np.asarray(points, np.float64)[..., :2]
    mapped: Floats = xy @ np.swapaxes(matrix[..., :2, :2], -1, -2) + matrix[..., None, :2, 2]
    return mapped


def to_image_px(affine: ArrayLike, points_crop: ArrayLike) -> Floats:
    """The way back of `map_points`: x, y of (..., K, >= 2) from 0..1 of the crop to pixels of the image."""
    return map_points(np.linalg.inv(np.asarray(affine, np.float64)), points_crop)


def inside_crop(points_crop: ArrayLike) -> NDArray[np.bool_]:
    """Which of (..., K, >= 2) count as visible ground truth: 0 < x < 1 and 0 < y < 1. NaN (not annotated) does not."""
    xy = np.asarray(points_crop)[..., :2]
    return np.asarray(((xy > 0) & (xy < 1)).all(axis=-1))


def _rotation(angle_deg: float) -> Floats:
    angle = math.radians(angle_deg)
    return np.array([[math.cos(angle), math.sin(angle)], [-math.sin(angle), math.cos(angle)]])
