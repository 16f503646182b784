"""Boxes, square crops around people, and the way of coordinates between the picture (`_px`) and the crop (`_crop`)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidArgument

Image = NDArray[np.uint8]  # (H, W, 3), RGB


@dataclass(frozen=True)
class Box:
    """Pixels of the source picture, origin at its top left."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Square:
    """A square window of the picture, in pixels. It may reach over the picture's edge: there it is black."""

    left: float
    top: float
    side: float

    def as_box(self) -> Box:
        return Box(self.left, self.top, self.side, self.side)


def check_box(box: Box, width: int, height: int) -> Box:
    """The box itself, if a person can be looked for in it."""
    if not all(math.isfinite(value) for value in (box.x, box.y, box.width, box.height)):
        raise InvalidArgument("a box holds a number that is not finite; send [x, y, width, height] in pixels")
    if box.width < 1 or box.height < 1:
        raise InvalidArgument("a box must be at least one pixel wide and high; send [x, y, width, height] in pixels")
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise InvalidArgument(f"a box lies outside of the picture, which is {width} x {height} pixels")
    if max(box.width, box.height) > 8 * max(width, height):
        raise InvalidArgument(f"a box is far larger than the picture, which is {width} x {height} pixels")
    return box


def square_around(box: Box, margin: float) -> Square:
    side = max(box.width, box.height, 1.0) * margin
    return Square(box.x + box.width / 2 - side / 2, box.y + box.height / 2 - side / 2, side)


def whole_picture(width: int, height: int) -> Square:
    return square_around(Box(0, 0, width, height), 1.0)


def crop(image: Image, square: Square, size: int) -> Image:
    """The window as a (size, size, 3) picture.

    A pixel at (x, y) of the picture lands at ((x - left), (y - top)) * size / side of the crop, as in training. What is
    shrunk much is averaged first by a whole factor, since bilinear sampling alone would skip pixels.
    """
    height, width = image.shape[:2]
    scale = size / square.side
    left, right = _span(square.left, square.side, width)
    top, bottom = _span(square.top, square.side, height)
    part = image[top:bottom, left:right]
    factor = min(max(1, round(1 / scale)), *part.shape[:2])
    if factor > 1:
        rows, columns = part.shape[0] // factor, part.shape[1] // factor
        part = cv2.resize(part[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel i of the shrunk part has its centre at (i + 0.5) * factor - 0.5 of the part.
    rest = scale * factor
    matrix = np.array(
        [
            [rest, 0, (left - square.left - 0.5) * scale + 0.5 * rest],
            [0, rest, (top - square.top - 0.5) * scale + 0.5 * rest],
        ]
    )
    out: Image = cv2.warpAffine(part, matrix, (size, size), flags=cv2.INTER_LINEAR)
    return out


def fit(image: Image, size: int) -> Image:
    """The picture at the top left of a black (size, size, 3), its longer side filling it."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    square = np.zeros((size, size, 3), np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    square[:rows, :columns] = cv2.resize(image, (columns, rows), interpolation=way)
    return square


def _span(start: float, side: float, limit: int) -> tuple[int, int]:
    """First and past-the-last pixel of the picture that the window touches; one pixel at least."""
    first = min(max(math.floor(start) - 1, 0), limit - 1)
    return first, max(first + 1, min(math.ceil(start + side) + 1, limit))


def to_picture(keypoints_crop: NDArray[np.float32], square: Square) -> NDArray[np.float32]:
    """x, y (..., 2) from 0..1 of the crop to pixels of the picture."""
    return keypoints_crop * np.float32(square.side) + np.array([square.left, square.top], np.float32)


def depth_from_root(z_crop: NDArray[np.float32], scale_mm: float) -> NDArray[np.float32]:
    """z from 0..1 of the crop's depth to millimetres behind the root joint's plane, which is 0.5 (< 0: before it)."""
    return (z_crop - np.float32(0.5)) * np.float32(scale_mm)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a.width * a.height + b.width * b.height - both)


def box_around(keypoints_px: NDArray[np.float32]) -> Box:
    """The tightest box around points (N, 2)."""
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
