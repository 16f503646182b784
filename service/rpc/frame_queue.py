"""The bounded queue between a stream's sender and the pipeline."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator

from service.pipeline import Frame


class FrameQueue:
    """Holds `size` frames at most: when full, a new frame waits or, with `drop_oldest`, takes the oldest's place."""

    def __init__(self, size: int, drop_oldest: bool) -> None:
        self._size, self._drop_oldest = size, drop_oldest
        self._frames: deque[tuple[Frame, float]] = deque()
        self._changed = asyncio.Condition()
        self._ended = False
        self._error: BaseException | None = None
        self.dropped = 0
        self.lag_ms = 0.0  # of the frame that was taken last

    async def put(self, frame: Frame) -> None:
        async with self._changed:
            if self._drop_oldest and len(self._frames) >= self._size:
                self._frames.popleft()
                self.dropped += 1
            else:
                await self._changed.wait_for(lambda: len(self._frames) < self._size)
            self._frames.append((frame, time.monotonic()))
            self._changed.notify_all()

    async def end(self, error: BaseException | None = None) -> None:
        """No more frames; what waits is still taken, then `error` is raised if there is one."""
        async with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    async def frames(self) -> AsyncGenerator[Frame, None]:
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._frames) or self._ended)
                if not self._frames:
                    if self._error is not None:
                        raise self._error
                    return
                frame, arrived = self._frames.popleft()
                self.lag_ms = 1e3 * (time.monotonic() - arrived)
                self._changed.notify_all()
            yield frame
