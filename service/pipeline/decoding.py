"""Encoded pictures to pixels, when the budget of pixels has room for them."""

from __future__ import annotations

import asyncio

from service.errors import Overloaded
from service.pipeline.admission import Held
from service.settings import Settings
from service.vision.crops import Image
from service.vision.images import open_picture
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
        opened = await self._workers.run(open_picture, picture, *limits)
        try:
            try:
                async with asyncio.timeout(LONGEST_TURN_S):
                    await held.take(opened.width * opened.height)
            except TimeoutError:
                raise Overloaded("too many large pictures are in work; try again in a second") from None
            return await self._workers.run(opened.decode)
        finally:
            opened.close()
