"""Tasks side by side, as many as a limit that may change, until one of them fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any


class Crew:
    """Runs tasks. A context manager: at its end none is left.

    Args:
        limit: Returns how many may run at present.
    """

    def __init__(self, limit: Callable[[], int]) -> None:
        self._limit = limit
        self._running: set[asyncio.Task[None]] = set()
        self._ended = asyncio.Event()
        self._error: BaseException | None = None

    async def __aenter__(self) -> Crew:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._running:
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def start(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Starts a task as soon as there is room.

        Raises:
            BaseException: What a task has raised.
        """
        await self._until_below(self._limit)
        task = asyncio.create_task(work())
        self._running.add(task)
        task.add_done_callback(self._end)

    async def finish(self) -> None:
        """Waits for all tasks.

        Raises:
            BaseException: What a task has raised.
        """
        await self._until_below(lambda: 1)

    async def _until_below(self, limit: Callable[[], int]) -> None:
        while len(self._running) >= limit() and self._error is None:
            self._ended.clear()
            await self._ended.wait()
        if self._error is not None:
            raise self._error

    def _end(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and self._error is None:
            self._error = task.exception()
        self._ended.set()
