"""Stages that overlap: the next item is made while the present one is in work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TypeVar

from service.workers import settled

T = TypeVar("T")


async def ahead(items: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
    """Yields the items in order; at most one is made before it is asked for. They are closed at the end."""
    async with aclosing(items):
        upcoming = asyncio.ensure_future(anext(items, None))
        try:
            while (item := await upcoming) is not None:
                upcoming = asyncio.ensure_future(anext(items, None))
                yield item
                del item  # not to be kept while the next one is awaited
        finally:
            upcoming.cancel()
            # Waited for even if the caller is cancelled meanwhile: the items are closed next.
            if (cancellation := await settled(upcoming)) is not None:
                raise cancellation
