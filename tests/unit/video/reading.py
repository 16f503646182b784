"""Reads a video as the tests want it: all frames, or the first ones."""

from __future__ import annotations

import asyncio
import io
from contextlib import aclosing

import numpy as np

from service.video.frame import Frame
from service.video.reader import VideoFacts, VideoLimits, VideoReader
from service.video.sampling import Sampler
from service.vision.crops import Image
from service.workers import Workers

LIMITS = VideoLimits(seconds=60, pixels=10_000_000)


def read(
    data: bytes, interval_s: float = 0.1, limits: VideoLimits = LIMITS, stop_after: int | None = None
) -> tuple[list[Frame], VideoFacts | None]:
    async def run() -> tuple[list[Frame], VideoFacts | None]:
        workers = Workers(2)
        reader = VideoReader(io.BytesIO(data), limits, workers)
        frames = []
        async with aclosing(reader.frames(Sampler(interval_s))) as decoded:
            async for frame, _ in decoded:
                frames.append(frame)
                if len(frames) == stop_after:
                    break
        workers.close()
        return frames, reader.facts

    return asyncio.run(run())


def rgb(frame: Frame) -> Image:
    assert not isinstance(frame.picture, bytes)
    return frame.picture


async def all_of(reader: VideoReader, interval_s: float = 0.1) -> list[Frame]:
    async with aclosing(reader.frames(Sampler(interval_s))) as frames:
        return [frame async for frame, _ in frames]


def same(frames: list[Frame], expected: list[Frame]) -> bool:
    return len(frames) == len(expected) and all(
        (a.frame_id, a.time_s) == (b.frame_id, b.time_s) and np.array_equal(rgb(a), rgb(b))
        for a, b in zip(frames, expected, strict=True)
    )
