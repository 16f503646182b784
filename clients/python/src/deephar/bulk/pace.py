"""How many inputs are asked for at a time: as many as the service gains from, fewer where it says it is full."""

from __future__ import annotations

import time
from collections.abc import Callable

FIRST, MOST = 16, 64
_GAIN = 1.05  # twice as many at a time must bring this much
_LOOK_S, _LOOK_ANSWERS = 3.0, 50  # at least, before two rates are compared
_REST_S = 1.0  # in which several refusals count as one: they are of the same moment
_REGAIN_S = 5.0  # without a refusal, after which one more is tried


class Pace:
    """The limit of what is in flight. It is doubled as long as that brings more answers a second.

    Where the service refuses for want of room it falls by a quarter, and then rises by one every few seconds.

    Args:
        fixed: The limit, which then stays; 0: it is found out.
        clock: Seconds.
    """

    def __init__(self, fixed: int = 0, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = fixed or FIRST
        self._ceiling = fixed or MOST
        self._fixed, self._doubles, self._clock = bool(fixed), not fixed, clock
        self._before: tuple[int, float] | None = None  # the limit before this one, and its rate
        self._since_s, self._answers = clock(), 0
        self._refused_s = 0.0

    def answered(self) -> None:
        """Counts an answer, and raises the limit where that may bring more."""
        if self._fixed:
            return
        self._answers += 1
        passed_s = self._clock() - self._since_s
        if self._doubles:
            if self._answers >= _LOOK_ANSWERS and passed_s >= _LOOK_S:
                self._compare(self._answers / passed_s)
        elif self.limit < self._ceiling and passed_s >= _REGAIN_S:
            self._set(self.limit + 1)

    def _compare(self, rate: float) -> None:
        if self._before is not None and rate < _GAIN * self._before[1]:
            self._ceiling, self._doubles = self._before[0], False
        elif self.limit == self._ceiling:
            self._doubles = False
        else:
            self._before = self.limit, rate
        self._set(min(self._ceiling, 2 * self.limit))

    def refused(self) -> None:
        """Lowers the limit: the service has no room."""
        now_s = self._clock()
        if self._fixed or now_s - self._refused_s < _REST_S:
            return
        self._refused_s = now_s
        if self._doubles:
            self._ceiling, self._doubles = self.limit, False
        self._set(max(1, self.limit * 3 // 4))

    def _set(self, limit: int) -> None:
        self.limit = limit
        self._since_s, self._answers = self._clock(), 0
