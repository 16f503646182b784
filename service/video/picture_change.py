"""How much a sampled frame differs from the one before: the same picture again, or another scene."""

from __future__ import annotations

from enum import Enum

import cv2
import numpy as np
from numpy.typing import NDArray

from service.vision.crops import Image

SIDE = 48  # of the thumbnails, in grey
REPEATED_MAX = 2.5  # largest difference of two thumbnails of the same picture, of 255; encoders change it by so much
CUT_CORRELATION, CUT_MEAN = 0.65, 25.0  # of two scenes: largest correlation of the thumbnails, least mean difference


class Change(Enum):
    """What became of the picture since the last sampled frame."""

    MOVED = "moved"
    REPEATED = "repeated"  # by the sender
    CUT = "cut"  # to another scene


class PictureChange:
    """Compares the sampled frames of one video, each with the one before."""

    def __init__(self) -> None:
        self.thumbnail: NDArray[np.float32] | None = None  # of the last frame (SIDE, SIDE)

    def since_last(self, image: Image) -> Change:
        """Returns what became of the picture; MOVED for the first one.

        Args:
            image: The sampled frame (H, W, 3) in RGB.
        """
        small = cv2.resize(image, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32).mean(axis=2)
        before, self.thumbnail = self.thumbnail, small
        if before is None:
            return Change.MOVED
        difference = np.abs(small - before)
        if difference.max() <= REPEATED_MAX:
            return Change.REPEATED
        if difference.mean() >= CUT_MEAN and _correlation(small, before) < CUT_CORRELATION:
            return Change.CUT
        return Change.MOVED


def _correlation(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float((a * b).sum() / max(float(np.sqrt((a * a).sum() * (b * b).sum())), 1e-6))
