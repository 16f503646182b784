from __future__ import annotations

import asyncio

import pytest

from service.errors import InvalidImage
from service.pipeline import Frame
from service.rpc.frame_queue import FrameQueue


def frame(i: int) -> Frame:
    return Frame(b"", i, i / 10)


def test_a_full_lossless_queue_holds_the_sender_back() -> None:
    async def run() -> None:
        queue = FrameQueue(2, drop_oldest=False)
        await queue.put(frame(0))
        await queue.put(frame(1))
        third = asyncio.create_task(queue.put(frame(2)))
        await asyncio.sleep(0.01)
        assert not third.done()
        frames = queue.frames()
        assert (await anext(frames)).frame_id == 0
        await asyncio.wait_for(third, 1)
        await queue.end()
        assert [f.frame_id async for f in frames] == [1, 2]
        assert queue.dropped == 0

    asyncio.run(run())


def test_the_latest_frames_win_when_old_ones_may_be_dropped() -> None:
    async def run() -> None:
        queue = FrameQueue(2, drop_oldest=True)
        for i in range(5):
            await queue.put(frame(i))
        await queue.end()
        assert [f.frame_id async for f in queue.frames()] == [3, 4]
        assert queue.dropped == 3

    asyncio.run(run())


def test_an_error_comes_after_the_frames_that_were_sent_before_it() -> None:
    async def run() -> None:
        queue = FrameQueue(4, drop_oldest=False)
        await queue.put(frame(0))
        await queue.end(InvalidImage("broken"))
        frames = queue.frames()
        assert (await anext(frames)).frame_id == 0
        with pytest.raises(InvalidImage):
            await anext(frames)

    asyncio.run(run())
