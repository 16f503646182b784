"""Which frames of a video stand for which instants of the network's clock, whatever the frame rate."""

from __future__ import annotations

import math

from service.errors import InvalidArgument

_ROUNDING_S = 1.5e-3  # Matroska and WebM round time stamps to milliseconds, that of the first frame as well


class Sampler:
    """Counts the ticks of `interval_s` that begin with each frame.

    A frame is a sample when a new tick has begun since the last sample. A slow video has fewer frames than ticks: its
    frames then stand for more than one.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._first_s: float | None = None
        self._last_s = -math.inf
        self._last_tick = -1

    def ticks(self, time_s: float) -> int:
        """How many ticks have passed since the last sample: 0 means that this frame is not one."""
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
