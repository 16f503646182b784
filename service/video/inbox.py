"""The bounded queue between a stream's sender and the pipeline."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator

from service.pipeline.pipeline import Frame


class FrameQueue:
    """Holds `size` frames and `max_bytes` of them at most, or a single larger one.

    When it is full, a new frame waits or, with `drop_oldest`, takes the oldest's place.
    """

    def __init__(self, size: int, max_bytes: int, drop_oldest: bool) -> None:
        self._size, self._max_bytes, self._drop_oldest = size, max_bytes, drop_oldest
        self._frames: deque[tuple[Frame, float]] = deque()
        self._bytes = 0
        self._changed = asyncio.Condition()
        self._ended = self._given = False
        self._error: BaseException | None = None
        self._reason: BaseException | None = None
        self.dropped = 0
        self.lag_ms = 0.0  # of the frame that was taken last

    async def put(self, frame: Frame) -> None:
        size = _bytes_of(frame)
        async with self._changed:
            while self._drop_oldest and not self._fits(size):
                self._pop()
                self.dropped += 1
            await self._changed.wait_for(lambda: self._ended or self._fits(size))
            if self._ended:
                return
            self._frames.append((frame, time.monotonic()))
            self._bytes += size
            self._changed.notify_all()

    async def end(self, error: BaseException | None = None, reason: BaseException | None = None) -> None:
        """No more frames; what waits is still taken, then `error` is raised if there is one.

        Because of a `reason` the frames end as if their sender had ended them; `raise_reason` tells afterwards.
        """
        async with self._changed:
            if not self._ended:
                self._ended, self._error, self._reason = True, error, reason
                self._changed.notify_all()

    def raise_reason(self) -> None:
        """Raises why the frames ended before their sender ended them, if they did."""
        if self._reason is not None:
            raise self._reason

    async def frames(self) -> AsyncGenerator[Frame, None]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._frames) or self._ended)
                if not self._frames:
                    if self._error is not None:
                        raise self._error
                    if not self._given:
                        self.raise_reason()
                    return
                frame, arrived = self._pop()
                self._given = True
                self.lag_ms = 1e3 * (time.monotonic() - arrived)
                self._changed.notify_all()
            yield frame
            del frame  # or it would be held while the next one is waited for

    def _fits(self, size: int) -> bool:
        return not self._frames or (len(self._frames) < self._size and self._bytes + size <= self._max_bytes)

    def _pop(self) -> tuple[Frame, float]:
        frame, arrived = self._frames.popleft()
        self._bytes -= _bytes_of(frame)
        return frame, arrived


def _bytes_of(frame: Frame) -> int:
    return len(frame.picture) if isinstance(frame.picture, bytes) else frame.picture.nbytes
