"""What decodes pictures and videos, as functions of any bytes."""

from __future__ import annotations

import asyncio
import contextlib
import io
from collections.abc import Callable
from contextlib import aclosing
from typing import ParamSpec, TypeVar

from service.errors import DeepharError
from service.video.reader import VideoLimits, VideoReader
from service.video.sampling import Sampler
from service.vision.images import encode_image, open_picture
from service.workers import Workers

P = ParamSpec("P")
R = TypeVar("R")

_MAX_BYTES, _MAX_PIXELS = 2**20, 2_000_000
_LIMITS = VideoLimits(seconds=60, pixels=_MAX_PIXELS)
_FACTORS = (1, 2, 4, 8)


class _OnThisThread(Workers):
    """Runs each job at once: what fails is then seen with the input that made it fail."""

    def __init__(self) -> None:
        super().__init__(1)

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return work(*args, **kwargs)


def pictures(data: bytes) -> bool:
    """Opens and decodes a picture whole or with fewer pixels, and writes what was read; returns whether it was one."""
    try:
        opened = open_picture(data, _MAX_BYTES, _MAX_PIXELS)
        try:
            picture = opened.decode(_FACTORS[len(data) % len(_FACTORS)])
        finally:
            opened.close()
    except DeepharError:
        return False
    assert picture.pixels.shape[2] == 3
    assert picture.pixels.dtype == "uint8"
    assert {picture.width, picture.height} == {opened.width, opened.height}
    with contextlib.suppress(DeepharError):  # too long for a JPEG
        encode_image(picture.pixels, "image/png" if len(data) % 2 else "image/jpeg")
    return True


def videos(data: bytes) -> bool:
    """Reads a video to its end; returns whether it was one."""
    return asyncio.run(_read(data))


async def _read(data: bytes) -> bool:
    reader = VideoReader(io.BytesIO(data), _LIMITS, _OnThisThread())
    last_ns = -1
    try:
        async with aclosing(reader.frames(Sampler(0.04))) as frames:
            async for frame, ticks in frames:
                assert ticks > 0
                assert frame.time_ns > last_ns
                assert not isinstance(frame.picture, bytes)
                assert 0 < frame.picture.shape[0] * frame.picture.shape[1] <= _MAX_PIXELS
                last_ns = frame.time_ns
    except DeepharError:
        return False
    assert reader.facts is not None
    assert reader.facts.fps > 0
    assert reader.facts.frames >= 2
    return True
