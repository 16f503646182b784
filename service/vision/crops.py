"""Square crops around people, and coordinates from the picture (`_px`) to the crop (`_crop`) and back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from service.vision.boxes import Box

Image = NDArray[np.uint8]  # (H, W, 3), RGB

# Detected boxes hold the whole body, but crops are sized by boxes around the joints. 0.92 is best on LSP.
JOINTS_OVER_BODY = 0.92


@dataclass(frozen=True)
class CropWindow:
    """A square window in pixels of the picture. Beyond the picture's edges it is black."""

    left: float
    top: float
    side: float

    def as_box(self) -> Box:
        return Box(self.left, self.top, self.side, self.side)


class Gain(NamedTuple):
    """Step from the present crop window to the wanted one within a frame, as a share of their difference."""

    centre: float
    side: float


PROPAGATED = Gain(centre=0.6, side=0.3)  # towards the crop of the track's own keypoints
DETECTED = Gain(centre=0.8, side=0.8)  # towards the crop of a matching detection


def moved(crop_window: CropWindow, wanted: CropWindow, gain: Gain) -> CropWindow:
    """Returns the crop window of the next frame: low-pass filtered, so that it follows without jitter."""
    side = crop_window.side + gain.side * (wanted.side - crop_window.side)
    x = crop_window.left + crop_window.side / 2
    y = crop_window.top + crop_window.side / 2
    x += gain.centre * (wanted.left + wanted.side / 2 - x)
    y += gain.centre * (wanted.top + wanted.side / 2 - y)
    return CropWindow(x - side / 2, y - side / 2, side)


def crop_window_around(box: Box, margin: float) -> CropWindow:
    """Returns the window centred on a box; its side is the box's longer side times the margin."""
    side = max(box.width, box.height, 1.0) * margin
    return CropWindow(box.x + box.width / 2 - side / 2, box.y + box.height / 2 - side / 2, side)


def whole_picture(width: int, height: int) -> CropWindow:
    """Returns the smallest window that holds the whole picture."""
    return crop_window_around(Box(0, 0, width, height), 1.0)


def crop(image: Image, crop_window: CropWindow, size: int) -> Image:
    """Returns the crop (size, size, 3) of a window.

    Pixel (x, y) of the picture lands at ((x - left), (y - top)) * size / side of the crop, as in training. Where the
    scale is small, the picture is first averaged by a whole factor: bilinear sampling alone would skip pixels.
    """
    height, width = image.shape[:2]
    scale = size / crop_window.side
    left, right = _span(crop_window.left, crop_window.side, width)
    top, bottom = _span(crop_window.top, crop_window.side, height)
    part = image[top:bottom, left:right]
    factor = min(max(1, round(1 / scale)), *part.shape[:2])
    if factor > 1:
        rows, columns = part.shape[0] // factor, part.shape[1] // factor
        part = cv2.resize(part[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA)
    # Pixel i of the shrunk part has its centre at (i + 0.5) * factor - 0.5 of the part.
    rest = scale * factor
    matrix = np.array(
        [
            [rest, 0, (left - crop_window.left - 0.5) * scale + 0.5 * rest],
            [0, rest, (top - crop_window.top - 0.5) * scale + 0.5 * rest],
        ]
    )
    # With a fourth channel OpenCV takes half the time for the same pixels.
    wide = cv2.warpAffine(cv2.cvtColor(part, cv2.COLOR_RGB2RGBA), matrix, (size, size), flags=cv2.INTER_LINEAR)
    out: Image = cv2.cvtColor(wide, cv2.COLOR_RGBA2RGB)
    return out


def letterbox(image: Image, size: int) -> Image:
    """Returns the picture at the top left of a black square (size, size, 3), with its longer side filling it."""
    height, width = image.shape[:2]
    scale = size / max(height, width)
    rows, columns = max(1, round(height * scale)), max(1, round(width * scale))
    crop_window = np.zeros((size, size, 3), np.uint8)
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    crop_window[:rows, :columns] = cv2.resize(image, (columns, rows), interpolation=way)
    return crop_window


def _span(start: float, side: float, limit: int) -> tuple[int, int]:
    """Returns the first and past-the-last pixel of the picture within the window; one pixel at least."""
    first = min(max(math.floor(start) - 1, 0), limit - 1)
    return first, max(first + 1, min(math.ceil(start + side) + 1, limit))


def to_picture(keypoints_crop: NDArray[np.float32], crop_window: CropWindow) -> NDArray[np.float32]:
    """Returns x, y (..., 2) in pixels of the picture, from 0..1 of the crop."""
    return keypoints_crop * np.float32(crop_window.side) + np.array([crop_window.left, crop_window.top], np.float32)


def depth_from_root(z_crop: NDArray[np.float32], scale_mm: float) -> NDArray[np.float32]:
    """Returns z in mm behind the root joint's plane (< 0: before it), from 0..1 of the crop's depth."""
    return (z_crop - np.float32(0.5)) * np.float32(scale_mm)
