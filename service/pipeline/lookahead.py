"""Stages that overlap: the next frame is fetched and decoded while the present one is in work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace

from service.video.frame import Frame
from service.vision.crops import Image
from service.workers import settled

Samples = AsyncGenerator[tuple[Frame, int], None]


async def decoded_ahead(frames: Samples, decode: Callable[[Frame, int], Awaitable[bytes | Image]]) -> Samples:
    """Yields the frames in order; at most one is fetched before it is asked for.

    Args:
        frames: Frames with the sampler's ticks. Their owner closes them.
        decode: Returns what takes the place of a frame's picture.
    """

    async def fetch() -> tuple[Frame, int] | None:
        sample = await anext(frames, None)
        if sample is None:
            return None
        frame, ticks = sample
        return replace(frame, picture=await decode(frame, ticks)), ticks

    upcoming = asyncio.create_task(fetch())
    try:
        while (sample := await upcoming) is not None:
            upcoming = asyncio.create_task(fetch())
            yield sample
            del sample  # not to be kept while the next one is awaited
    finally:
        upcoming.cancel()
        # Waited for even if the caller is cancelled meanwhile: the frames are closed next.
        if (cancellation := await settled(upcoming)) is not None:
            raise cancellation
