"""A picture with a marker at each joint, in a colour of its own. Needs no torch: tests of the service paint it too."""

from __future__ import annotations

import itertools

import cv2
import numpy as np
from numpy.typing import NDArray

BACKGROUND = (64, 64, 64)
RADIUS = 9
WIDTH, HEIGHT = 640, 480
BOX = (200, 60, 200, 340)  # of the person: x, y, width, height


def colours(joints: int) -> NDArray[np.uint8]:
    """Returns a colour for each joint (K, 3), RGB: strong ones, none of which is another one's in BGR order."""
    levels = [one for one in itertools.product((0, 128, 255), repeat=3) if len(set(one)) > 1]
    return np.array(levels[:joints], np.uint8)


def places(joints: int, seed: int = 5) -> NDArray[np.float64]:
    """Returns places (K, 2) in the box, in pixels of the picture, that are apart from each other."""
    x, y, width, height = BOX
    grid = [(x + width * (column + 0.5) / 4, y + height * (row + 0.5) / 6) for row in range(6) for column in range(4)]
    moved = np.array(grid[:joints]) + np.random.default_rng(seed).uniform(-8, 8, (joints, 2))
    return np.random.default_rng(seed).permutation(moved).round()


def picture(joints: int) -> NDArray[np.uint8]:
    """Returns the picture (480, 640, 3), RGB."""
    image = np.full((HEIGHT, WIDTH, 3), BACKGROUND, np.uint8)
    for (x, y), colour in zip(places(joints), colours(joints), strict=True):
        cv2.circle(image, (int(x), int(y)), RADIUS, [int(value) for value in colour], -1)
    return image
