"""Sampling of frames at a model's interval, by media time and independent of the frame rate."""

from __future__ import annotations

import math

from service.errors import InvalidArgument

_ROUNDING_S = 1.5e-3  # Matroska and WebM round all time stamps to milliseconds


class Sampler:
    """Counts the ticks of a clock with period `interval_s` that starts with the first frame.

    A frame is sampled when at least one tick has passed since the last sample. In a video with fewer frames than ticks
    a frame counts for several.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._first_s: float | None = None
        self._last_s = -math.inf
        self._last_tick = -1

    def ticks(self, time_s: float) -> int:
        """Returns the ticks since the last sample; 0: the frame is not sampled.

        Args:
            time_s: Media time of the next frame.

        Raises:
            InvalidArgument: It is not later than that of the frame before.
        """
        if time_s <= self._last_s:
            raise InvalidArgument(
                f"time stamps must rise from frame to frame; {time_s:.6f} s came after {self._last_s:.6f} s"
            )
        self._last_s = time_s
        if self._first_s is None:
            self._first_s = time_s
        tick = math.floor((time_s - self._first_s + _ROUNDING_S) / self._interval_s)
        passed = tick - self._last_tick
        self._last_tick = tick
        return passed
