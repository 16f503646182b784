"""Decoding of pictures within the budget of pixels."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from service.errors import Overloaded
from service.pipeline.admission import Held, PixelBudget
from service.settings import Settings
from service.telemetry.metrics import METRICS
from service.vision.crops import Image
from service.vision.images import OpenPicture, open_picture
from service.vision.picture import Picture, Shrink, whole
from service.workers import Workers

T = TypeVar("T")


class PictureDecoder:
    """Decodes pictures in the pool of threads."""

    def __init__(self, settings: Settings, workers: Workers) -> None:
        self._settings, self._workers = settings, workers

    async def decode(self, picture: bytes, held: Held) -> Picture:
        """Returns a picture with all its pixels, as soon as the budget has room for them.

        Args:
            picture: Encoded.
            held: Share of the budget that the pixels are taken from.

        Raises:
            InvalidImage, UnsupportedMediaType, PayloadTooLarge: The bytes are no picture that can be read.
            Overloaded: There was no room in time.
        """
        return await self.decode_for(picture, held, lambda decoded: decoded)

    async def decode_for(self, picture: bytes, held: Held, work: Callable[[Picture], T], shrink: Shrink = whole) -> T:
        """Returns `work` of a picture, done by the job that decodes it. Raises as `decode`, and as `work`.

        Args:
            picture: Encoded.
            held: Share of the budget that the pixels are taken from.
            work: A job for a thread.
            shrink: By how much fewer pixels will do.
        """
        limits = self._settings.max_image_bytes, self._settings.max_image_pixels
        # A small picture, as most are, is decoded by the job that reads its size: one switch of threads less.
        small = PixelBudget.SMALL if held.take_at_once(PixelBudget.SMALL) else 0
        opened, done = await self._workers.run(lambda: _open(picture, *limits, small, work, shrink))
        pixels = opened.width * opened.height
        held.keep(pixels if done else 0)
        if done:
            METRICS.stage("admission").observe(0.0)
            return done[0]
        try:
            try:
                with METRICS.stage("admission").time():
                    async with asyncio.timeout(self._settings.turn_timeout_s):
                        await held.take(pixels)
            except TimeoutError:
                raise Overloaded("too many large pictures are in work; try again in a second") from None
            return await self._workers.run(lambda: work(_decoded(opened, shrink)))
        finally:
            opened.close()

    async def decode_small(
        self, picture: bytes | Image, work: Callable[[Picture], T], shrink: Shrink = whole
    ) -> T | None:
        """Returns `work` of a small picture, which is not in the budget; None for a larger one.

        Pixels that are decoded already are as a small picture's. Raises as `decode`, and as `work`.
        """
        if not isinstance(picture, bytes):
            return await self._workers.run(work, Picture.of(picture))
        limits = self._settings.max_image_bytes, self._settings.max_image_pixels
        opened, done = await self._workers.run(lambda: _open(picture, *limits, PixelBudget.SMALL, work, shrink))
        if done:
            return done[0]
        opened.close()
        return None


def _open(
    data: bytes, max_bytes: int, max_pixels: int, decode_up_to: int, work: Callable[[Picture], T], shrink: Shrink
) -> tuple[OpenPicture, list[T]]:
    """Returns the open picture; one of at most `decode_up_to` pixels is closed, and comes with `work` of it."""
    opened = open_picture(data, max_bytes, max_pixels)
    if opened.width * opened.height > decode_up_to:
        return opened, []
    try:
        return opened, [work(_decoded(opened, shrink))]
    finally:
        opened.close()


def _decoded(opened: OpenPicture, shrink: Shrink) -> Picture:
    with METRICS.stage("decode").time():
        return opened.decode(shrink(opened.width, opened.height))
