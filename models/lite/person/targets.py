"""Targets of the person detector: a heat map of centres, and the distances to the sides of the boxes.

After TTFNet (Liu et al., AAAI 2020): Gaussians in proportion to the boxes, and several cells around a centre regress
the box, which trains faster than the centre alone.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.lite.person.data import Boxes

STRIDE = 4  # pixels a cell
SPREAD = 0.54 / 6  # a Gaussian's deviation over the box's side
SMALLEST_DEVIATION = 0.4  # cells
REGION = 0.3  # height of the Gaussian from which a cell regresses the box

Map = NDArray[np.float32]


class Targets(NamedTuple):
    heat: Map  # (G, G), 1 in the centre's cell of each person
    sides: Map  # (4, G, G), left, top, right, bottom in cells from the cell's centre; may be negative by half a cell
    weight: Map  # (G, G), of the loss on the sides; sums to 1 over a person without a smaller one in front


def encode(boxes_px: Boxes, size: int) -> Targets:
    """Targets for boxes (n, 4) in pixels of a square picture of this size, with their centres inside it."""
    cells = size // STRIDE
    heat, weight = np.zeros((cells, cells), np.float32), np.zeros((cells, cells), np.float32)
    sides = np.ones((4, cells, cells), np.float32)
    centres = np.arange(cells, dtype=np.float32) + 0.5
    boxes = boxes_px / STRIDE
    for x, y, width, height in boxes[np.argsort(-boxes[:, 2] * boxes[:, 3], kind="stable")]:
        middle = np.array([x + width / 2, y + height / 2])
        column, row = np.clip(middle.astype(int), 0, cells - 1)
        deviation = np.maximum(SPREAD * np.array([width, height]), SMALLEST_DEVIATION)
        along_x = np.exp(-((centres - middle[0]) ** 2) / (2 * deviation[0] ** 2))
        along_y = np.exp(-((centres - middle[1]) ** 2) / (2 * deviation[1] ** 2))
        hill = (along_y[:, None] * along_x[None, :]).astype(np.float32)
        within = (np.abs(centres - middle[1]) <= height / 2)[:, None] & (np.abs(centres - middle[0]) <= width / 2)
        region = (hill > REGION) & within
        hill[row, column] = 1.0
        region[row, column] = True
        heat = np.maximum(heat, np.minimum(hill, 1.0))
        weight[region] = hill[region] / hill[region].sum()
        rows, columns = np.nonzero(region)
        at_x, at_y = centres[columns], centres[rows]
        sides[:, rows, columns] = np.stack([at_x - x, at_y - y, x + width - at_x, y + height - at_y])
    return Targets(heat, sides, weight)
