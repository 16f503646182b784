"""Boxes in pixels of the picture, origin at its top left."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidArgument


@dataclass(frozen=True)
class Box:
    """Pixels of the source picture, origin at its top left."""

    x: float
    y: float
    width: float
    height: float


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


def box_around(keypoints_px: NDArray[np.float32]) -> Box:
    """The tightest box around points (N, 2)."""
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def iou(a: Box, b: Box) -> float:
    """Intersection over union."""
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a.width * a.height + b.width * b.height - both)
