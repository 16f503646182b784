from __future__ import annotations

import asyncio

import pytest

from service.errors import InvalidImage, Unavailable
from service.video.frame import BadFrame, Flush, Frame, Received
from service.video.inbox import Credits, Inbox
from service.video.sampling import Sampler


def frame(i: int) -> Frame:
    return Frame(b"", i, i * 10**8)


def number(item: Received) -> int:
    assert isinstance(item, Frame)
    return item.frame_id


def test_a_full_lossless_inbox_holds_the_sender_back() -> None:
    async def run() -> None:
        inbox = Inbox(2, 100, "lossless")
        assert await inbox.put(frame(0)) == 1
        assert await inbox.put(frame(1)) == 0
        third = asyncio.create_task(inbox.put(frame(2)))
        await asyncio.sleep(0.01)
        assert not third.done()
        frames = inbox.frames(Sampler(0.1))
        assert number((await anext(frames))[0]) == 0
        await asyncio.wait_for(third, 1)
        await inbox.end()
        assert [number(item) async for item, _ in frames] == [1, 2]
        assert inbox.dropped == 0

    asyncio.run(run())


def test_the_latest_frame_takes_the_place_of_the_one_that_waits() -> None:
    async def run() -> None:
        inbox = Inbox(8, 100, "latest")
        for i in range(5):
            await inbox.put(frame(i))
        await inbox.end()
        assert [number(item) async for item, _ in inbox.frames(Sampler(0.1))] == [4]
        assert inbox.dropped == 4

    asyncio.run(run())


def test_an_error_comes_after_the_frames_that_were_sent_before_it() -> None:
    async def run() -> None:
        inbox = Inbox(4, 100, "lossless")
        await inbox.put(frame(0))
        await inbox.end(InvalidImage("broken"))
        frames = inbox.frames(Sampler(0.1))
        assert number((await anext(frames))[0]) == 0
        with pytest.raises(InvalidImage):
            await anext(frames)

    asyncio.run(run())


def test_bytes_are_bounded_too_but_a_single_large_frame_is_taken() -> None:
    async def run() -> None:
        inbox = Inbox(8, 100, "lossless")
        await inbox.put(Frame(bytes(500), 0, 0))
        second = asyncio.create_task(inbox.put(Frame(bytes(60), 1, 10**8)))
        await asyncio.sleep(0.01)
        assert not second.done()
        frames = inbox.frames(Sampler(0.1))
        assert number((await anext(frames))[0]) == 0
        await asyncio.wait_for(second, 1)

    asyncio.run(run())


def test_a_reason_ends_the_frames_in_order_and_is_told_afterwards() -> None:
    async def run() -> None:
        inbox = Inbox(4, 100, "lossless")
        await inbox.put(frame(0))
        await inbox.end(reason=Unavailable("the service is stopping"))
        await inbox.end()  # the sender's own end comes too late
        assert [number(item) async for item, _ in inbox.frames(Sampler(0.1))] == [0]
        with pytest.raises(Unavailable):
            inbox.raise_reason()

    asyncio.run(run())


def test_where_no_frame_came_the_reason_is_the_error() -> None:
    async def run() -> None:
        inbox = Inbox(4, 100, "lossless")
        await inbox.end(reason=Unavailable("the service is stopping"))
        with pytest.raises(Unavailable):
            await anext(inbox.frames(Sampler(0.1)))

    asyncio.run(run())


def test_credits_say_how_many_frames_may_have_been_sent() -> None:
    async def run() -> None:
        inbox = Inbox(3, 100, "lossless")
        assert inbox.credits == Credits(received=0, free=3)
        for i in range(3):
            await inbox.put(frame(i))
        assert inbox.credits == Credits(received=3, free=0)
        more = asyncio.create_task(inbox.more_room(inbox.credits))
        await asyncio.sleep(0.01)
        assert not more.done()
        await anext(inbox.frames(Sampler(0.1)))
        assert await asyncio.wait_for(more, 1) == Credits(received=3, free=1)

    asyncio.run(run())


@pytest.mark.parametrize("policy", ["lossless", "latest"])
def test_what_holds_no_picture_keeps_its_place_and_is_bounded(policy: str) -> None:
    async def run() -> None:
        inbox = Inbox(2, 100, "latest" if policy == "latest" else "lossless")
        bad = BadFrame(InvalidImage("broken"), 1, 0)
        await inbox.put(frame(0))
        await inbox.put(bad)
        waiting = asyncio.create_task(inbox.put(Flush()))
        await asyncio.sleep(0.01)
        frames = inbox.frames(Sampler(0.1))
        first, *others = [(await anext(frames))[0] for _ in range(3)]
        assert number(first) == 0
        assert others == [bad, Flush()]
        await waiting

    asyncio.run(run())


def test_of_times_that_do_not_rise_the_frame_is_bad_but_a_clock_may_be_set() -> None:
    async def kinds(is_live: bool) -> list[str]:
        inbox = Inbox(8, 100, "lossless", is_live)
        for i, time_ns in enumerate((10**10, 10**10 - 1, 10**10 + 10**8, 0, 10**8)):
            await inbox.put(Frame(b"", i, time_ns))
        await inbox.end()
        return [type(item).__name__ for item, _ in [item async for item in inbox.frames(Sampler(0.1))]]

    assert asyncio.run(kinds(is_live=True)) == ["Frame", "BadFrame", "Frame", "Frame", "Frame"]
    assert asyncio.run(kinds(is_live=False)) == ["Frame", "BadFrame", "Frame", "BadFrame", "BadFrame"]
