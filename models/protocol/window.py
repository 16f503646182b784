"""The part of an image that a network takes, in pixels of the image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

SMALLEST_SIDE_PX = 32.0


@dataclass(frozen=True)
class Window:
    """A rectangle by its centre and its size. It may reach over the image's edge: there it is black."""

    centre_x: float
    centre_y: float
    width: float
    height: float

    @classmethod
    def from_corners(cls, left: float, top: float, right: float, bottom: float) -> Window:
        return cls((left + right) / 2, (top + bottom) / 2, right - left, bottom - top)

    @classmethod
    def of_whole_image(cls, width_px: int, height_px: int) -> Window:
        """A square around the whole image, for images without a box of the person."""
        side = float(max(width_px, height_px))
        return cls(width_px / 2, height_px / 2, side, side)

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom."""
        x, y, half_width, half_height = self.centre_x, self.centre_y, self.width / 2, self.height / 2
        return x - half_width, y - half_height, x + half_width, y + half_height

    def enlarged_square(self, factor: float) -> Window:
        """Both sides become `factor` times the longer one."""
        side = max(self.width, self.height) * factor
        return Window(self.centre_x, self.centre_y, side, side)

    def at_least_smallest(self) -> Window:
        """The loaders' lower limit. As in the original one short side makes BOTH sides 32, also a longer one."""
        if min(self.width, self.height) >= SMALLEST_SIDE_PX:
            return self
        return Window(self.centre_x, self.centre_y, SMALLEST_SIDE_PX, SMALLEST_SIDE_PX)

    def cut_to_pixels(self) -> Window:
        """Corners cut to whole pixels, toward zero: how boxes of predicted poses are stored."""
        left, top, right, bottom = (int(corner) for corner in self.corners)
        return Window.from_corners(left, top, right, bottom)


def union(windows: Iterable[Window]) -> Window:
    """The smallest window around all of them.

    Raises:
        ValueError: There are none.
    """
    corners = [window.corners for window in windows]
    if not corners:
        raise ValueError("a union needs at least one window")
    left, top, right, bottom = zip(*corners, strict=True)
    return Window.from_corners(min(left), min(top), max(right), max(bottom))
