"""Tasks of the event loop that run for as long as a part of the service does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine
from typing import Any


class BackgroundTask:
    """A coroutine that runs from `start` to `stop`.

    Args:
        work: Returns the coroutine, which is expected not to return by itself.
        name: Name of the asyncio task.
    """

    def __init__(self, work: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        self._work, self._name = work, name
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._work(), name=self._name)

    async def stop(self) -> None:
        """Cancels the task and waits until it has ended. Without `start` it does nothing.

        The work must not swallow the cancellation. Before Python 3.12 `asyncio.wait_for` does, if its result arrives at
        the same moment: use `asyncio.timeout` there.
        """
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
