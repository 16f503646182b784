from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from service.errors import InvalidImage
from service.pipeline.lookahead import decoded_ahead
from service.video.frame import Frame
from service.vision.crops import Image

Samples = AsyncGenerator[tuple[Frame, int], None]


class Source:
    """Frames that are counted; the one whose number is `damaged` cannot be fetched."""

    def __init__(self, count: int, damaged: int | None = None, endless_at: int | None = None) -> None:
        self._count, self._damaged, self._endless_at = count, damaged, endless_at
        self.fetched = 0
        self.closed = False

    async def frames(self) -> Samples:
        try:
            for i in range(self._count):
                if i == self._endless_at:
                    await asyncio.Event().wait()
                if i == self._damaged:
                    raise InvalidImage("damaged")
                self.fetched += 1
                yield Frame(b"encoded", i, i * 10**8), 1
        finally:
            self.closed = True


async def decode(frame: Frame, ticks: int) -> bytes | Image:
    await asyncio.sleep(0)
    return b"decoded"


def test_frames_come_in_order_and_decoded() -> None:
    async def run() -> list[tuple[int, object]]:
        async with aclosing(decoded_ahead(Source(5).frames(), decode)) as frames:
            return [(frame.frame_id, frame.picture) async for frame, _ in frames]

    assert asyncio.run(run()) == [(i, b"decoded") for i in range(5)]


def test_one_frame_is_fetched_while_another_is_in_work() -> None:
    async def run() -> None:
        source = Source(5)
        async with aclosing(decoded_ahead(source.frames(), decode)) as frames:
            await anext(frames)
            await asyncio.sleep(0.01)  # the work on the first frame
            assert source.fetched == 2

    asyncio.run(run())


def test_an_error_comes_in_the_turn_of_its_frame() -> None:
    seen = []

    async def run() -> None:
        async for frame, _ in decoded_ahead(Source(5, damaged=2).frames(), decode):
            await asyncio.sleep(0.01)
            seen.append(frame.frame_id)

    with pytest.raises(InvalidImage):
        asyncio.run(run())
    assert seen == [0, 1]


@pytest.mark.parametrize("cancelled", [False, True])
def test_who_leaves_while_a_frame_is_awaited_leaves_nothing_behind(cancelled: bool) -> None:
    async def run() -> None:
        source = Source(5, endless_at=1)

        async def follow() -> None:
            async with aclosing(source.frames()) as fetched, aclosing(decoded_ahead(fetched, decode)) as frames:
                await anext(frames)
                await asyncio.sleep(0.01)
                if cancelled:
                    await anext(frames)

        following = asyncio.create_task(follow())
        await asyncio.sleep(0.05)
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        assert source.closed
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(run())
