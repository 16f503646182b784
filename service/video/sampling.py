"""Sampling of frames at a model's interval, by media time and independent of the frame rate."""

from __future__ import annotations

from service.errors import InvalidArgument

EVERY_FRAME_S = 1e-9  # an interval at which all frames are sampled
_ROUNDING_NS = 1_500_000  # Matroska and WebM round all time stamps to milliseconds


class Sampler:
    """Counts the ticks of a clock with period `interval_s` that starts with the first frame.

    A frame is sampled when at least one tick has passed since the last sample. In a video with fewer frames than ticks
    a frame counts for several.
    """

    def __init__(self, interval_s: float) -> None:
        self._interval_ns = round(1e9 * interval_s)
        self.restart()

    def restart(self) -> None:
        """Starts the clock anew with the next frame."""
        self._first_ns: int | None = None
        self._last_ns: int | None = None
        self._last_tick = -1

    def ticks(self, time_ns: int) -> int:
        """Returns the ticks since the last sample; 0: the frame is not sampled.

        Args:
            time_ns: Media time of the next frame.

        Raises:
            InvalidArgument: It is not later than that of the frame before.
        """
        if self._last_ns is not None and time_ns <= self._last_ns:
            raise InvalidArgument(
                f"time stamps must rise from frame to frame; {time_ns} ns came after {self._last_ns} ns"
            )
        self._last_ns = time_ns
        if self._first_ns is None:
            self._first_ns = time_ns
        tick = (time_ns - self._first_ns + _ROUNDING_NS) // self._interval_ns
        passed = tick - self._last_tick
        self._last_tick = tick
        return passed
