"""Crops of the sample picture, of one person: inputs to check networks with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

PICTURE = Path(__file__).resolve().parent.parent.parent / "samples" / "person.jpg"
CENTRE_PX, SIDE_PX = (320, 245), 400  # of a crop with the whole person


def person_crops(moves_px: list[tuple[int, int]], size: int) -> NDArray[np.uint8]:
    """Crops (B, size, size, 3) of the person, with the window moved by these pixels to the right and down."""
    with Image.open(PICTURE) as file:
        picture = file.convert("RGB")
    crops = []
    for right, down in moves_px:
        left, top = CENTRE_PX[0] + right - SIDE_PX // 2, CENTRE_PX[1] + down - SIDE_PX // 2
        window = picture.crop((left, top, left + SIDE_PX, top + SIDE_PX))
        crops.append(np.asarray(window.resize((size, size), Image.Resampling.BILINEAR)))
    return np.stack(crops)
