"""The bounded queue between the sender of a stream and the pipeline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from typing import Literal, NamedTuple, TypeAlias

from service.errors import InvalidArgument
from service.telemetry.metrics import METRICS
from service.video.frame import BadFrame, Flush, Frame, Received
from service.video.sampling import Sampler

CLOCK_WAS_SET_NS = 10**9  # by which time goes back, for it not to be mere disorder

Policy: TypeAlias = Literal["lossless", "latest"]

_RECEIVED, _DROPPED = METRICS.frames.labels("received"), METRICS.frames.labels("dropped")


class Credits(NamedTuple):
    """How many frames a sender may have sent, so that none waits for room or is dropped."""

    received: int  # frames so far
    free: int  # and so many more


class Inbox:
    """A `FrameSource` with a bounded queue of frames.

    Args:
        size: Largest number of waiting frames. With the policy `latest` one waits.
        max_bytes: Largest sum of their sizes; a single larger frame is taken when the queue is empty.
        policy: What becomes of a frame for which there is no room: it waits (`lossless`), or replaces the one that
            waits (`latest`).
        is_live: Whether the sender's clock may be set: a time that is far back begins anew.
    """

    def __init__(self, size: int, max_bytes: int, policy: Policy, is_live: bool = True) -> None:
        self._drops, self._is_live = policy == "latest", is_live
        self._size, self._max_bytes = 1 if self._drops else size, max_bytes
        self._items: deque[Received] = deque()
        self._frames = self._bytes = 0  # that wait
        self._changed = asyncio.Condition()
        self._ended = self._given = False
        self._error: BaseException | None = None
        self._reason: BaseException | None = None
        self.received = self.dropped = 0

    @property
    def credits(self) -> Credits:
        return Credits(self.received, max(0, self._size - self._frames))

    async def put(self, item: Received) -> int:
        """Adds a frame, or what else was received, as soon as there is room. After `end` it is discarded.

        Returns:
            The number of further frames that there is room for.
        """
        async with self._changed:
            if self._drops and not self._ended and isinstance(item, Frame):
                self._drop_waiting()
            await self._changed.wait_for(lambda: self._ended or self._fits(item))
            if not self._ended:
                self._items.append(item)
                self._count(item, 1)
                if not isinstance(item, Flush):
                    self.received += 1
                    _RECEIVED.inc()
                self._changed.notify_all()
            return self.credits.free

    async def end(self, error: BaseException | None = None, reason: BaseException | None = None) -> None:
        """Ends the frames; those that wait are still yielded. Only the first call counts.

        Args:
            error: Raised by `frames` after the last frame.
            reason: Why the service ended the frames. They end as if their sender had ended them, so that the answer is
                complete; `raise_reason` raises it afterwards.
        """
        async with self._changed:
            if not self._ended:
                self._ended, self._error, self._reason = True, error, reason
                self._changed.notify_all()

    def raise_reason(self) -> None:
        """Raises the `reason` of `end`, if there is one."""
        if self._reason is not None:
            raise self._reason

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Received, int], None]:
        """Yields all that was received and not dropped, in order of arrival.

        A frame that is not later than the one before is a `BadFrame`. In a live stream one that is far earlier is not:
        the sender's clock was set, and sampling starts anew.
        """
        last_ns: int | None = None
        while (item := await self._next()) is not None:
            ticks = 0
            if isinstance(item, Frame):
                if self._is_live and last_ns is not None and item.time_ns < last_ns - CLOCK_WAS_SET_NS:
                    sampler.restart()
                try:
                    ticks = sampler.ticks(item.time_ns)
                    last_ns = item.time_ns
                except InvalidArgument as error:
                    item = BadFrame.of(item, error)
            yield item, ticks
            del item  # not to be kept while the next one is awaited

    async def more_room(self, than: Credits) -> Credits:
        """Returns the credits, as soon as the sender may have sent more frames than these allow."""
        async with self._changed:
            await self._changed.wait_for(lambda: sum(self.credits) > sum(than))
            return self.credits

    async def _next(self) -> Received | None:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._items) or self._ended)
            if self._items:
                self._given = True
                item = self._items.popleft()
                self._count(item, -1)
                self._changed.notify_all()
                return item
            if self._error is not None:
                raise self._error
            if not self._given:
                self.raise_reason()
            return None

    def _fits(self, item: Received) -> bool:
        """Returns whether there is room. What holds no picture is bounded as well: each takes the place of a frame."""
        if isinstance(item, Frame):
            return not self._frames or (
                len(self._items) < self._size and self._bytes + item.size_bytes <= self._max_bytes
            )
        return len(self._items) < 2 * self._size

    def _drop_waiting(self) -> None:
        """Drops the frame that waits, unless it is to be answered before a flush."""
        if Flush() in self._items:
            return
        for item in self._items:
            if isinstance(item, Frame):
                self._count(item, -1)
                self.dropped += 1
                _DROPPED.inc()
        self._items = deque(item for item in self._items if not isinstance(item, Frame))

    def _count(self, item: Received, change: int) -> None:
        if isinstance(item, Frame):
            self._frames += change
            self._bytes += change * item.size_bytes
