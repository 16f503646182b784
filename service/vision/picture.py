"""A decoded picture, maybe with fewer pixels than its file: JPEGs can be decoded at 1/2, 1/4 or 1/8 of their size."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple, TypeAlias

from service.vision.crops import CropWindow, Image, crop

FACTORS = (8, 4, 2)  # by which libjpeg-turbo decodes fewer pixels for less work
Shrink: TypeAlias = Callable[[int, int], int]  # from the width and height of a file to the factor that may be taken


class Picture(NamedTuple):
    """The pixels of a picture (H, W, 3) in RGB, and its size. Coordinates are always those of the whole picture."""

    pixels: Image
    width: int
    height: int
    factor: int = 1  # each pixel is the mean of factor x factor of the file

    @staticmethod
    def of(pixels: Image) -> Picture:
        """Returns the picture that has these pixels."""
        return Picture(pixels, pixels.shape[1], pixels.shape[0])

    def crop(self, crop_window: CropWindow, size: int) -> Image:
        """Returns the crop (size, size, 3) of a window."""
        if self.factor == 1:
            return crop(self.pixels, crop_window, size)
        left, top = ((start + 0.5) / self.factor - 0.5 for start in (crop_window.left, crop_window.top))
        return crop(self.pixels, CropWindow(left, top, crop_window.side / self.factor), size)


def whole(_: int, __: int) -> int:
    """A `Shrink` that keeps all pixels."""
    return 1


def factor_for(crop_windows: Iterable[CropWindow], size: int) -> int:
    """Returns the factor by which crops of these windows may be taken from fewer pixels.

    `crop` itself averages by as much before it samples.
    """
    smallest = min((round(crop_window.side / size) for crop_window in crop_windows), default=1)
    return at_most(smallest)


def at_most(ratio: float) -> int:
    """Returns the largest factor that is not over a ratio."""
    return next((factor for factor in FACTORS if factor <= ratio), 1)
