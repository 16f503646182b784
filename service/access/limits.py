"""Limits of one caller: requests in a moving window, and requests and videos at a time."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import limits as rates
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from service.errors import Overloaded
from service.telemetry.metrics import METRICS

MOST_IN_WINDOW = 10_000  # requests: the time of each is kept
LONGEST_WINDOW_S = 31 * 86_400

Kind: TypeAlias = Literal["request", "stream"]


@dataclass(frozen=True)
class CallerLimits:
    """What a caller may do.

    Attributes:
        rate: Requests and videos in a time; None: as many as there are.
        concurrency: Requests at a time; 0: as many as there are.
        streams: Videos at a time; 0: as many as there are.
    """

    rate: rates.RateLimitItem | None = None
    concurrency: int = 0
    streams: int = 0


def rate_of(text: Any) -> rates.RateLimitItem | None:
    """Returns the rate that a text as `600/minute` means; None for an empty one.

    Raises:
        ValueError: It is no such text.
    """
    if text == "":
        return None
    try:
        (rate,) = rates.parse_many(text)
    except ValueError:
        raise ValueError("rate must be as 600/minute, or 10 per 5 seconds") from None
    if not 1 <= rate.amount <= MOST_IN_WINDOW or not rate.get_expiry() <= LONGEST_WINDOW_S:
        raise ValueError(f"rate must allow 1 to {MOST_IN_WINDOW} requests in at most 31 days, as 100/second")
    return rate


class Windows(MemoryStorage):
    """The times of callers' latest requests, by a clock that never jumps.

    The library's own memory goes by the time of day, and starts a thread for each clean-up.
    """

    def __init__(self) -> None:
        super(MemoryStorage, self).__init__()  # its own starts such a thread
        self._times: dict[str, deque[float]] = {}

    def acquire_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        now = time.monotonic()
        times = self._within(key, now - expiry)
        if len(times) + amount > limit:
            return False
        times.extend([now] * amount)
        return True

    def get_moving_window(self, key: str, limit: int, expiry: int) -> tuple[float, int]:
        now = time.monotonic()
        times = self._within(key, now - expiry)
        return (times[0] if times else now), len(times)

    def clear(self, key: str) -> None:
        self._times.pop(key, None)

    def _within(self, key: str, after_s: float) -> deque[float]:
        times = self._times.setdefault(key, deque())
        while times and times[0] <= after_s:
            times.popleft()
        return times


class Caller:
    """Who sent a request, with the limits and with what is in work.

    Args:
        name: As logs show it.
        limits: May be set anew while requests run.
    """

    def __init__(self, name: str, limits: CallerLimits) -> None:
        self.name, self._limits = name, limits
        self._inside: dict[Kind, int] = {"request": 0, "stream": 0}
        self._rates = MovingWindowRateLimiter(Windows())

    @property
    def is_idle(self) -> bool:
        return not any(self._inside.values())

    def limit(self, limits: CallerLimits) -> None:
        """Sets the limits anew. What is in work goes on, and counts."""
        if limits.rate != self._limits.rate and self._limits.rate is not None:
            self._rates.clear(self._limits.rate)
        self._limits = limits

    @contextmanager
    def enter(self, kind: Kind) -> Iterator[None]:
        """Returns the context of a request or a video in work.

        Raises:
            Overloaded: The caller is over one of the limits.
        """
        inside, most = self._inside[kind], self._most(kind)
        if most and inside >= most:
            METRICS.refused.labels("concurrency" if kind == "request" else "streams").inc()
            if kind == "request":
                raise Overloaded(f"{inside} requests of this key are in work already; wait for their answers")
            raise Overloaded(f"{inside} videos of this key are in work already; end one of them first")
        self._count()
        self._inside[kind] += 1
        try:
            yield
        finally:
            self._inside[kind] -= 1

    def _most(self, kind: Kind) -> int:
        return self._limits.concurrency if kind == "request" else self._limits.streams

    def _count(self) -> None:
        rate = self._limits.rate
        if rate is None or self._rates.hit(rate):
            return
        METRICS.refused.labels("rate").inc()
        reset_s = self._rates.get_window_stats(rate).reset_time - time.monotonic()
        error = Overloaded(f"this key may send {rate}; try again after Retry-After")
        error.retry_after_s = max(1, math.ceil(reset_s))
        raise error
