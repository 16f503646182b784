"""Reliability diagrams: for each tenth of the scores, which share was right."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lite.frame.calibration import BINS

CELL, EDGE = 30, 40
INK, PALE, BAR = (60, 60, 60), (190, 190, 190), (160, 110, 60)  # BGR


def diagram(
    scores: NDArray[np.floating], right: NDArray[np.floating | np.bool_], title: str, count: int = BINS
) -> NDArray[np.uint8]:
    """Returns a picture in BGR.

    Args:
        scores: From 0 to 1.
        right: Whether, or to which share, what has this score is right: bars are its mean.
        title: What both are.
        count: Of the bars; below each stands how many scores are in it.
    """
    side = CELL * BINS
    width = side // count
    canvas = np.full((side + 2 * EDGE, side + 2 * EDGE, 3), 255, np.uint8)
    cv2.rectangle(canvas, (EDGE, EDGE), (EDGE + side, EDGE + side), (120, 120, 120), 1)
    cv2.line(canvas, (EDGE, EDGE + side), (EDGE + side, EDGE), PALE, 1, cv2.LINE_AA)
    bins = np.minimum((scores * count).astype(int), count - 1)
    for b in range(count):
        chosen = bins == b
        if chosen.any():
            height = round(side * float(right[chosen].mean()))
            left = EDGE + width * b
            cv2.rectangle(canvas, (left + 3, EDGE + side - height), (left + width - 3, EDGE + side), BAR, -1)
            _write(canvas, str(chosen.sum()), (left + 4, EDGE + side + 16))
    _write(canvas, title, (EDGE - 20, EDGE - 14))
    return canvas


def _write(canvas: NDArray[np.uint8], text: str, place: tuple[int, int]) -> None:
    cv2.putText(canvas, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.37, INK, 1, cv2.LINE_AA)
