"""How urgent the work of the present task is: its class, and when its answer is due.

It stands in a context variable, which tasks inherit: between a transport and Triton there are many calls, and none of
them but the last has a use for it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from contextvars import ContextVar
from enum import IntEnum
from typing import Any, NamedTuple, TypeVar

from service.errors import DeadlineExceeded

T = TypeVar("T")

TOO_LATE = "the answer was not there in the time that the request allows; allow more, or ask for effort=fast"


class Latency(IntEnum):
    """Classes of work, as priorities of Triton's queues: the first goes before all others."""

    LIVE = 1  # frames of streams, which come while somebody moves
    SINGLE = 2  # pictures, one a request
    BULK = 3  # uploaded videos, and many pictures at once


class Urgency(NamedTuple):
    latency: Latency = Latency.SINGLE
    due_s: float | None = None  # by `time.monotonic`

    def left_s(self) -> float | None:
        """Returns the time until the answer is due.

        Raises:
            DeadlineExceeded: There is none.
        """
        if self.due_s is None:
            return None
        left_s = self.due_s - time.monotonic()
        if left_s <= 0:
            raise DeadlineExceeded(TOO_LATE)
        return left_s


_present: ContextVar[Urgency] = ContextVar("urgency", default=Urgency())  # noqa: B039 - it is immutable


def present() -> Urgency:
    """Returns the urgency of the present task's work."""
    return _present.get()


def become(latency: Latency, due_s: float | None = None) -> None:
    """Sets the urgency of the present task from now on, and of the tasks that it begins."""
    _present.set(Urgency(latency, due_s))


async def in_time(work: Coroutine[Any, Any, T]) -> T:
    """Returns the result of the work, unless it is due before.

    Raises:
        DeadlineExceeded: It is.
    """
    due = asyncio.timeout_at(None)
    try:
        due = asyncio.timeout(present().left_s())
        async with due:
            return await work
    except TimeoutError:
        if due.expired():
            raise DeadlineExceeded(TOO_LATE) from None
        raise
    finally:
        work.close()  # without effect, unless it was too late already
