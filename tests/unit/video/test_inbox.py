from __future__ import annotations

import asyncio

import pytest

from service.errors import InvalidImage, Unavailable
from service.video.frame import Frame
from service.video.inbox import Inbox
from service.video.sampling import Sampler


def frame(i: int) -> Frame:
    return Frame(b"", i, i * 10**8)


def test_a_full_lossless_inbox_holds_the_sender_back() -> None:
    async def run() -> None:
        inbox = Inbox(2, 100, drop_oldest=False)
        assert await inbox.put(frame(0)) == 1
        assert await inbox.put(frame(1)) == 0
        third = asyncio.create_task(inbox.put(frame(2)))
        await asyncio.sleep(0.01)
        assert not third.done()
        frames = inbox.frames(Sampler(0.1))
        assert (await anext(frames))[0].frame_id == 0
        await asyncio.wait_for(third, 1)
        await inbox.end()
        assert [f.frame_id async for f, _ in frames] == [1, 2]
        assert inbox.dropped == 0

    asyncio.run(run())


def test_the_latest_frames_win_when_old_ones_may_be_dropped() -> None:
    async def run() -> None:
        inbox = Inbox(2, 100, drop_oldest=True)
        for i in range(5):
            await inbox.put(frame(i))
        await inbox.end()
        assert [f.frame_id async for f, _ in inbox.frames(Sampler(0.1))] == [3, 4]
        assert inbox.dropped == 3

    asyncio.run(run())


def test_an_error_comes_after_the_frames_that_were_sent_before_it() -> None:
    async def run() -> None:
        inbox = Inbox(4, 100, drop_oldest=False)
        await inbox.put(frame(0))
        await inbox.end(InvalidImage("broken"))
        frames = inbox.frames(Sampler(0.1))
        assert (await anext(frames))[0].frame_id == 0
        with pytest.raises(InvalidImage):
            await anext(frames)

    asyncio.run(run())


def test_bytes_are_bounded_too_but_a_single_large_frame_is_taken() -> None:
    async def run() -> None:
        inbox = Inbox(8, 100, drop_oldest=False)
        await inbox.put(Frame(bytes(500), 0, 0))
        second = asyncio.create_task(inbox.put(Frame(bytes(60), 1, 10**8)))
        await asyncio.sleep(0.01)
        assert not second.done()
        frames = inbox.frames(Sampler(0.1))
        assert (await anext(frames))[0].frame_id == 0
        await asyncio.wait_for(second, 1)

    asyncio.run(run())


def test_a_reason_ends_the_frames_in_order_and_is_told_afterwards() -> None:
    async def run() -> None:
        inbox = Inbox(4, 100, drop_oldest=False)
        await inbox.put(frame(0))
        await inbox.end(reason=Unavailable("the service is stopping"))
        await inbox.end()  # the sender's own end comes too late
        assert [f.frame_id async for f, _ in inbox.frames(Sampler(0.1))] == [0]
        with pytest.raises(Unavailable):
            inbox.raise_reason()

    asyncio.run(run())


def test_where_no_frame_came_the_reason_is_the_error() -> None:
    async def run() -> None:
        inbox = Inbox(4, 100, drop_oldest=False)
        await inbox.end(reason=Unavailable("the service is stopping"))
        with pytest.raises(Unavailable):
            await anext(inbox.frames(Sampler(0.1)))

    asyncio.run(run())
