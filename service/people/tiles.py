"""Tiles of a large picture, in which small people are as large as in an ordinary one."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.vision.boxes import SMALLEST_AREA, Rows, intersections, iou

LARGE = 7.0  # longer side of a picture over the detector's input, from which it is looked at in tiles as well
SIDE = 3.25  # of a tile, likewise
OVERLAP = 1 / 3  # of neighbours
GROWTH = 1.1  # of the tiles, until there are few enough
EDGE = 0.01  # of a tile's longer side: a box that comes so near to the next tile is cut
TOO_LARGE = 0.7  # side of a person over a tile's, from which a tile shows a part
INSIDE = 0.6  # share of a box that lies in another one, for it to be a part of the same person


class Tile(NamedTuple):
    """Pixels of the picture."""

    left: int
    top: int
    width: int
    height: int


def tiles_of(width: int, height: int, input_size: int, most: int) -> list[Tile]:
    """Returns the tiles of a picture; none where it is not large.

    Args:
        width: Of the picture.
        height: Likewise.
        input_size: Side of the detector's input.
        most: Largest number of tiles; they grow until there are no more.
    """
    if not most or max(width, height) < LARGE * input_size:
        return []
    side = SIDE * input_size
    while _along(width, side) * _along(height, side) > most:
        side *= GROWTH
    return [
        Tile(left, top, min(width, round(side)), min(height, round(side)))
        for top in _starts(height, side)
        for left in _starts(width, side)
    ]


def _along(length: int, side: float) -> int:
    return max(1, math.ceil((length - side) / (side * (1 - OVERLAP))) + 1)


def _starts(length: int, side: float) -> list[int]:
    last = max(0, length - round(side))
    return [round(last * i / max(1, _along(length, side) - 1)) for i in range(_along(length, side))]


def is_cut(boxes: Rows, tile: Tile, width: int, height: int) -> NDArray[np.bool_]:
    """Returns which boxes (N, 4), in pixels of the picture, end at a side of the tile where the picture goes on."""
    edge = EDGE * max(tile.width, tile.height)
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    first, last = np.array([tile.left, tile.top]), np.array([tile.left + tile.width, tile.top + tile.height])
    at_start = (low <= first + edge) & (first > 0)
    at_end = (high >= last - edge) & (last < (width, height))
    return np.asarray((at_start | at_end).any(axis=1))


def merged(
    boxes: Rows,
    scores: NDArray[np.floating],
    is_of_tile: NDArray[np.bool_],
    is_cut_off: NDArray[np.bool_],
    tile_side: float,
    iou_threshold: float,
) -> NDArray[np.intp]:
    """Non-maximum suppression over the whole picture and its tiles.

    Boxes that a tile cuts give way to any box that they lie in; all of a tile, to people who are too large for it.

    Args:
        boxes: (N, 4) as x, y, width, height in pixels of the picture.
        scores: (N,).
        is_of_tile: (N,), found in a tile.
        is_cut_off: (N,), and cut by it.
        tile_side: Longer side of the tiles.
        iou_threshold: A box is dropped where its IoU with a kept box is greater.

    Returns:
        Indices of the kept boxes by descending score.
    """
    overlaps = iou(boxes, boxes)
    areas = np.maximum(boxes[:, 2] * boxes[:, 3], SMALLEST_AREA)
    inside = intersections(boxes, boxes) / areas[:, None]  # (N, N), share of each box in each other
    is_too_large = boxes[:, 2:].max(axis=1, initial=0) >= TOO_LARGE * tile_side
    kept: list[int] = []
    for i in np.lexsort((-scores, is_cut_off)).tolist():
        gives_way = is_cut_off[i] | is_of_tile[i] & is_too_large[kept]
        if not ((overlaps[i, kept] > iou_threshold) | (inside[i, kept] > INSIDE) & gives_way).any():
            kept.append(i)
    return np.array(sorted(kept, key=lambda i: -scores[i]), np.intp)
