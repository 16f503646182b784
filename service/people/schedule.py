"""When the detector runs in a video: less often while nothing changes beside the people who are followed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.vision.boxes import Box

DETECT_EVERY_S = 0.2
DETECT_STILL_EVERY_S = 1.0  # of a still scene
ROUNDING_S = 0.01  # of time stamps
STILL = 6.0  # largest difference of two thumbnails of a still scene, of 255
REACH = 0.3  # of a person beyond their box, over its size: where arms and legs may come

Thumbnail = NDArray[np.float32]  # (N, N), grey, of a whole frame


class DetectionSchedule:
    """The times of the detector's runs, by media time.

    Attributes:
        people: Boxes of the people who are followed; None: somebody is missing, or was not detected yet.
    """

    def __init__(self) -> None:
        self.people: Sequence[Box] | None = None
        self._next_s = self._last_s = -math.inf
        self._last: Thumbnail | None = None  # of the frame of the last run

    def due(self, time_s: float, thumbnail: Thumbnail | None = None, size: tuple[int, int] = (1, 1)) -> bool:
        """Returns whether the detector is to run at a frame.

        Args:
            time_s: Of the frame.
            thumbnail: Of the frame, where there is one.
            size: Width and height of the frame.
        """
        if time_s < self._next_s:
            return False
        self._next_s = time_s + DETECT_EVERY_S - ROUNDING_S
        if time_s < self._last_s + DETECT_STILL_EVERY_S - ROUNDING_S and self._is_still(thumbnail, size):
            return False
        self._last_s, self._last = time_s, thumbnail
        return True

    def at_once(self) -> None:
        """Has the detector run at the next frame."""
        self._next_s = self._last_s = -math.inf

    def _is_still(self, thumbnail: Thumbnail | None, size: tuple[int, int]) -> bool:
        if self.people is None or thumbnail is None or self._last is None:
            return False
        changed = np.abs(thumbnail - self._last) > STILL
        width, height = (len(thumbnail) / pixels for pixels in size)
        for box in self.people:
            x, y, reach_x, reach_y = box.x, box.y, REACH * box.width, REACH * box.height
            left, top = max(0, math.floor((x - reach_x) * width)), max(0, math.floor((y - reach_y) * height))
            right, bottom = math.ceil((x + box.width + reach_x) * width), math.ceil((y + box.height + reach_y) * height)
            changed[top : max(0, bottom), left : max(0, right)] = False
        return not changed.any()
