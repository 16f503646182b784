"""The bounded queue between the sender of a stream and the pipeline."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator

from service.video.frame import Frame
from service.video.sampling import Sampler


class Inbox:
    """A `FrameSource` with a bounded queue of frames.

    Args:
        size: Largest number of waiting frames.
        max_bytes: Largest sum of their sizes; a single larger frame is taken when the queue is empty.
        drop_oldest: Whether a new frame replaces the oldest when the queue is full; otherwise it waits.
    """

    def __init__(self, size: int, max_bytes: int, drop_oldest: bool) -> None:
        self._size, self._max_bytes, self._drop_oldest = size, max_bytes, drop_oldest
        self._frames: deque[Frame] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._ended = self._given = False
        self._error: BaseException | None = None
        self._reason: BaseException | None = None
        self.dropped = 0

    @property
    def live(self) -> bool:
        """Whether the newest frame counts."""
        return self._drop_oldest

    async def put(self, frame: Frame) -> int:
        """Adds a frame as soon as there is room. After `end` it is discarded.

        Returns:
            The number of further frames that there is room for.
        """
        async with self._changed:
            while self._drop_oldest and not self._fits(frame):
                self._pop()
                self.dropped += 1
            await self._changed.wait_for(lambda: self._ended or self._fits(frame))
            if not self._ended:
                self._frames.append(frame)
                self._bytes += frame.size_bytes
                self._changed.notify_all()
            return self._size - len(self._frames)

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

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yields all frames that were not dropped, in order of arrival."""
        while (frame := await self._next()) is not None:
            yield frame, sampler.ticks(frame.time_ns)
            del frame  # not to be kept while the next one is awaited

    async def _next(self) -> Frame | None:
        async with self._changed:
            await self._changed.wait_for(lambda: bool(self._frames) or self._ended)
            if self._frames:
                self._given = True
                self._changed.notify_all()
                return self._pop()
            if self._error is not None:
                raise self._error
            if not self._given:
                self.raise_reason()
            return None

    def _fits(self, frame: Frame) -> bool:
        return not self._frames or (
            len(self._frames) < self._size and self._bytes + frame.size_bytes <= self._max_bytes
        )

    def _pop(self) -> Frame:
        frame = self._frames.popleft()
        self._bytes -= frame.size_bytes
        return frame
