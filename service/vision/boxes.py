"""Boxes in pixels of the picture, origin at its top left."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidArgument

SMALLEST_AREA = 1e-9  # of a union: boxes without an area overlap nothing

Rows = NDArray[np.floating]


@dataclass(frozen=True)
class Box:
    """Pixels of the source picture, origin at its top left."""

    x: float
    y: float
    width: float
    height: float

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


def check_finite(box: Box) -> None:
    """Raises `InvalidArgument` where the box holds a number that is not finite."""
    if not all(math.isfinite(value) for value in (box.x, box.y, box.width, box.height)):
        raise InvalidArgument("a box holds a number that is not finite; send [x, y, width, height] in pixels")


def check_box(box: Box, width: int, height: int) -> Box:
    """The box itself, if a person can be looked for in it."""
    check_finite(box)
    if box.width < 1 or box.height < 1:
        raise InvalidArgument("a box must be at least one pixel wide and high; send [x, y, width, height] in pixels")
    if box.x >= width or box.y >= height or box.x + box.width <= 0 or box.y + box.height <= 0:
        raise InvalidArgument(
            f"a box lies outside of the picture, which is {width} x {height} pixels; send pixels of it"
        )
    if max(box.width, box.height) > 8 * max(width, height):
        raise InvalidArgument(
            f"a box is far larger than the picture, which is {width} x {height} pixels; send pixels of it"
        )
    return box


def box_around(keypoints_px: NDArray[np.float32]) -> Box:
    """The tightest box around points (N, 2)."""
    low, high = keypoints_px.min(axis=0), keypoints_px.max(axis=0)
    return Box(float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))


def as_rows(boxes: Sequence[Box]) -> NDArray[np.float64]:
    """Boxes as an array (N, 4) of x, y, width, height."""
    rows = [(box.x, box.y, box.width, box.height) for box in boxes]
    return np.array(rows, np.float64).reshape(-1, 4)


def intersections(a: Rows, b: Rows) -> Rows:
    """Areas (N, M) that every box (N, 4) of one set shares with every box (M, 4) of another."""
    low = np.maximum(a[:, None, :2], b[:, :2])
    high = np.minimum((a[:, :2] + a[:, 2:])[:, None], b[:, :2] + b[:, 2:])
    sides = np.maximum(high - low, 0)  # (N, M, 2)
    return np.asarray(sides[..., 0] * sides[..., 1])


def iou(a: Rows, b: Rows) -> Rows:
    """Intersection over union of every box of one set with every box of another.

    Args:
        a: Boxes (N, 4) as x, y, width, height.
        b: Boxes (M, 4), likewise.

    Returns:
        (N, M), 0 where boxes do not overlap.
    """
    both = intersections(a, b)
    union = (a[:, 2] * a[:, 3])[:, None] + b[:, 2] * b[:, 3] - both
    return np.asarray(both / np.maximum(union, SMALLEST_AREA))


def nms(boxes: Rows, scores: NDArray[np.floating], iou_threshold: float) -> NDArray[np.intp]:
    """Non-maximum suppression.

    Args:
        boxes: (N, 4) as x, y, width, height.
        scores: (N,).
        iou_threshold: A box is dropped where its IoU with a kept box of a higher score is greater.

    Returns:
        Indices of the kept boxes by descending score.
    """
    overlapping = iou(boxes, boxes) > iou_threshold
    dropped = np.zeros(len(boxes), bool)
    kept: list[int] = []
    for i in np.argsort(-scores, kind="stable").tolist():
        if not dropped[i]:
            kept.append(i)
            dropped |= overlapping[i]
    return np.array(kept, np.intp)
