"""Encoded pictures to pixels, when the budget of pixels has room for them."""

from __future__ import annotations

import asyncio

from service.errors import Overloaded
from service.pipeline.admission import Held, PixelBudget
from service.settings import Settings
from service.vision.crops import Image
from service.vision.images import OpenPicture, open_picture
from service.workers import Workers

LONGEST_TURN_S = 120.0  # that a picture waits for its turn


class PictureDecoder:
    def __init__(self, settings: Settings, workers: Workers) -> None:
        self._settings, self._workers = settings, workers

    async def decode(self, picture: bytes | Image, held: Held) -> Image:
        """The picture's pixels, which are taken from the budget; what is decoded already is not counted again."""
        if not isinstance(picture, bytes):
            return picture
        limits = self._settings.max_image_bytes, self._settings.max_image_pixels
        # A picture that is small, as most are, is decoded by the job that reads its size: one way to a thread less.
        small = PixelBudget.SMALL if held.take_at_once(PixelBudget.SMALL) else 0
        opened, image = await self._workers.run(_open, picture, *limits, decode_up_to=small)
        pixels = opened.width * opened.height
        held.keep(0 if image is None else pixels)
        if image is not None:
            return image
        try:
            try:
                async with asyncio.timeout(LONGEST_TURN_S):
                    await held.take(pixels)
            except TimeoutError:
                raise Overloaded("too many large pictures are in work; try again in a second") from None
            return await self._workers.run(opened.decode)
        finally:
            opened.close()

    async def decode_small(self, picture: bytes) -> Image | None:
        """Returns the pixels of a small picture, which its caller bounds in number; None of a larger one."""
        limits = self._settings.max_image_bytes, self._settings.max_image_pixels
        opened, image = await self._workers.run(_open, picture, *limits, decode_up_to=PixelBudget.SMALL)
        if image is None:
            opened.close()
        return image


def _open(data: bytes, max_bytes: int, max_pixels: int, decode_up_to: int) -> tuple[OpenPicture, Image | None]:
    """The picture, and its pixels if those are at most `decode_up_to`: then it is closed."""
    opened = open_picture(data, max_bytes, max_pixels)
    if opened.width * opened.height > decode_up_to:
        return opened, None
    try:
        return opened, opened.decode()
    finally:
        opened.close()
