"""When the detector looks at a frame of a video."""

from __future__ import annotations

import math

DETECT_EVERY_S = 0.2
ROUNDING_S = 0.01  # of time stamps


class DetectionSchedule:
    """The times of the detector's runs, by media time."""

    def __init__(self) -> None:
        self._next_s = -math.inf

    def due(self, time_s: float) -> bool:
        """Returns whether the detector is to run at a frame of this time; then the next run is an interval later."""
        if time_s < self._next_s:
            return False
        self._next_s = time_s + DETECT_EVERY_S - ROUNDING_S
        return True

    def at_once(self) -> None:
        """Has the detector run at the next frame."""
        self._next_s = -math.inf
