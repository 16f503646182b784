"""The ends of tasks."""

from __future__ import annotations

import asyncio
from typing import Any


async def ended(task: asyncio.Task[Any]) -> None:
    """Cancels a task and waits for its end, whatever it raises. Who waits can be cancelled, too."""
    if not task.done():
        task.cancel()
        await asyncio.wait((task,))
    if not task.cancelled():
        task.exception()  # is looked at: asyncio does not log it


def cancellations() -> int:
    """Returns how often the task that asks was cancelled: a `CancelledError` without a new one is of what it awaits."""
    task = asyncio.current_task()
    return 0 if task is None else task.cancelling()
