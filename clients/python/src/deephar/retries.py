"""When a call that changes nothing is tried again."""

from __future__ import annotations

import random
import time

from deephar.errors import DeepharError, Overloaded, Unavailable, Unreachable

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_OVERLOADED_S = 1.0  # where the service does not say for how long
_RETRIED = (Unreachable, Unavailable, Overloaded)


class Retries:
    """The attempts of one call, all within its time limit.

    Args:
        timeout_s: Of all attempts and pauses together.
        most: Attempts after the first one.
    """

    def __init__(self, timeout_s: float, most: int) -> None:
        self._until_s = time.monotonic() + timeout_s
        self._most, self._made = most, 0

    def left_s(self) -> float:
        """Returns the time that the next attempt may take."""
        return max(0.001, self._until_s - time.monotonic())

    def pause_s(self, error: DeepharError) -> float | None:
        """Returns how long to wait before the next attempt; None: there is to be none, the error is the answer."""
        if not isinstance(error, _RETRIED) or self._made >= self._most:
            return None
        pause_s = backoff_s(self._made)
        if isinstance(error, Overloaded):
            pause_s = max(pause_s, error.retry_after_s or _OVERLOADED_S)
        pause_s *= 1 + random.random() / 2  # noqa: S311 - so that callers do not come back all at once
        self._made += 1
        return pause_s if pause_s < self._until_s - time.monotonic() else None


def backoff_s(attempt: int) -> float:
    """Returns the pause before an attempt, counted from 0, without jitter."""
    return min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2.0 ** min(attempt, 10))
