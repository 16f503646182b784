"""The synthetic images behind the golden vectors: made from their names, so that none needs to be stored."""

from __future__ import annotations

import hashlib
from functools import cache

import numpy as np
from numpy.typing import NDArray


@cache
def golden_image(name: str, width: int, height: int) -> NDArray[np.uint8]:
    """The (height, width, 3) image of this name: a 9 x 9 grid of colours, interpolated, with a little noise."""
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    random = np.random.Generator(np.random.PCG64(seed))
    image = 3.0 * random.random((9, 9, 3)) - 1.5
    for axis, size in enumerate((height, width)):
        place = np.arange(size) * (8 / (size - 1))
        cell = np.minimum(place.astype(int), 7)
        share = (place - cell).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        image = np.take(image, cell, axis) * (1 - share) + np.take(image, cell + 1, axis) * share
    image += 0.4 * random.random((height, width, 3)) - 0.2
    rounded = np.clip(image, -1, 1).astype(np.float32).astype(np.float64)
    out: NDArray[np.uint8] = np.floor((rounded + 1) * 127.5 + 0.5).astype(np.uint8)
    return out
