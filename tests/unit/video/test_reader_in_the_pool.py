"""The reader's steps in the pool of workers: shared threads, cancelled readings, closing."""

from __future__ import annotations

import asyncio
import gc
import io
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import av
import pytest

from service.errors import DeepharError
from service.video.reader import VideoLimits, VideoReader
from service.video.sampling import Sampler
from service.workers import Workers
from tests.unit.video.reading import LIMITS, all_of, read, same
from tests.videos import WatchedContainer, WatchedWorkers, sound_only, video

Open = Callable[[float], list[WatchedContainer]]


@pytest.fixture
def watch_containers(monkeypatch: pytest.MonkeyPatch) -> Open:
    """Makes every container that is opened from now on a watched one, slowed down by so many seconds a packet."""
    really_open = av.open

    def watch(packet_s: float) -> list[WatchedContainer]:
        opened: list[WatchedContainer] = []

        def open_watched(*args: Any, **kwargs: Any) -> WatchedContainer:
            opened.append(WatchedContainer(really_open(*args, **kwargs), packet_s))
            return opened[-1]

        monkeypatch.setattr(av, "open", open_watched)
        return opened

    return watch


def assert_closed(containers: list[WatchedContainer]) -> None:
    for container in containers:
        assert len(container.closed_by) == 1
        assert container.closed_by[0].startswith("deephar"), "closed outside the pool"


@pytest.mark.parametrize("threads", [1, 4])
def test_more_videos_than_threads_all_finish(threads: int, watch_containers: Open) -> None:
    data = video(i / 30 for i in range(60))
    expected, _ = read(data)
    containers = watch_containers(0.0005)

    async def run() -> None:
        workers = Workers(threads)
        watched = [WatchedWorkers(workers) for _ in range(16)]
        readers = [VideoReader(io.BytesIO(data), LIMITS, w) for w in watched]
        tasks = [asyncio.ensure_future(all_of(reader)) for reader in readers]
        while sum(container.packets_read for container in containers) < 100:
            await asyncio.sleep(0.001)
        assert await workers.run(lambda: "answered") == "answered"
        assert not any(task.done() for task in tasks), "the job had to wait for a whole video"
        for frames in await asyncio.gather(*tasks):
            assert same(frames, expected)
        assert all(reader.facts is not None for reader in readers)
        assert {w.most_running for w in watched} == {1}
        workers.close()

    asyncio.run(asyncio.wait_for(run(), 60))
    assert len(containers) == 16
    assert_closed(containers)


def test_a_long_way_to_the_next_frame_is_made_in_steps(watch_containers: Open) -> None:
    """One frame in 100 s is asked for: other jobs get the only thread all the same."""
    data = video(i / 30 for i in range(200))
    containers = watch_containers(0.002)

    async def run() -> int:
        workers, answered = Workers(1), 0
        reading = asyncio.ensure_future(all_of(VideoReader(io.BytesIO(data), LIMITS, workers), 100))
        while not containers or containers[0].packets_read < 10:
            await asyncio.sleep(0.001)
        while not reading.done():
            await workers.run(lambda: None)
            answered += containers[0].packets_read < 200
        assert len(await reading) == 1
        workers.close()
        return answered

    assert asyncio.run(run()) >= 4


def test_a_reader_that_is_not_asked_holds_no_thread_and_reads_no_further(watch_containers: Open) -> None:
    data = video(i / 30 for i in range(300))
    containers = watch_containers(0)

    async def run() -> None:
        workers = Workers(1)
        streams = [VideoReader(io.BytesIO(data), LIMITS, workers).frames(Sampler(0.1)) for _ in range(4)]
        for stream in streams:
            await anext(stream)
        before = [container.packets_read for container in containers]
        for _ in range(20):
            await asyncio.wait_for(workers.run(lambda: None), 5)
            await asyncio.sleep(0.001)
        assert [container.packets_read for container in containers] == before
        assert max(before) < 60
        for stream in streams:
            await stream.aclose()
        workers.close()

    asyncio.run(run())
    assert_closed(containers)


@pytest.mark.parametrize("times", [1, 3])
def test_a_cancelled_reader_leaves_nothing_behind_and_others_go_on(times: int, watch_containers: Open) -> None:
    data = video(i / 30 for i in range(60))
    expected, _ = read(data, 0.5)
    containers = watch_containers(0.0005)
    chance = random.Random(times)

    async def cancelled_once(workers: Workers) -> None:
        watched = WatchedWorkers(workers)
        file = io.BytesIO(data)
        task = asyncio.ensure_future(all_of(VideoReader(file, LIMITS, watched), 0.5))
        await asyncio.sleep(chance.uniform(0, 0.05))
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(chance.uniform(0, 0.002))
        with suppress(asyncio.CancelledError):
            await task
        assert watched.running == 0
        file.close()

    async def run() -> None:
        workers = Workers(2)
        others = [asyncio.ensure_future(all_of(VideoReader(io.BytesIO(data), LIMITS, workers), 0.5)) for _ in range(3)]
        for _ in range(25):
            await asyncio.gather(*(cancelled_once(workers) for _ in range(3)))
        for frames in await asyncio.gather(*others):
            assert same(frames, expected)
        assert_closed(containers)
        workers.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_dropped_reader_is_closed(watch_containers: Open) -> None:
    data = video(i / 30 for i in range(60))
    containers = watch_containers(0)

    async def run() -> None:
        workers = Workers(1)
        stream = VideoReader(io.BytesIO(data), LIMITS, workers).frames(Sampler(0.1))
        await anext(stream)
        del stream
        gc.collect()
        until_s = time.monotonic() + 5
        while not containers[0].closed_by and time.monotonic() < until_s:
            await asyncio.sleep(0.001)
        assert_closed(containers)
        workers.close()

    asyncio.run(run())


def test_opening_tells_the_size_before_the_first_frame(watch_containers: Open) -> None:
    data = video(i / 30 for i in range(30))
    expected, _ = read(data)
    containers = watch_containers(0)

    async def run() -> None:
        workers = Workers(1)
        reader = VideoReader(io.BytesIO(data), LIMITS, workers)
        assert await reader.open() == await reader.open() == 64 * 48
        assert same(await all_of(reader), expected)
        await reader.close()
        workers.close()

    asyncio.run(run())
    assert len(containers) == 1
    assert_closed(containers)


@pytest.mark.parametrize("ask", [False, True])
def test_closing_without_frames(ask: bool, watch_containers: Open) -> None:
    data = video(i / 30 for i in range(30))
    containers = watch_containers(0)

    async def run() -> None:
        workers = Workers(1)
        reader = VideoReader(io.BytesIO(data), LIMITS, workers)
        await reader.open()
        if ask:  # a generator that is never started
            await reader.frames(Sampler(0.1)).aclose()
        await asyncio.gather(reader.close(), reader.close())
        await reader.close()
        workers.close()

    asyncio.run(run())
    assert_closed(containers)


def test_closing_waits_for_the_step_that_runs(watch_containers: Open) -> None:
    data = video(i / 30 for i in range(60))
    containers = watch_containers(0.001)

    async def run() -> None:
        workers = Workers(4)
        watched = WatchedWorkers(workers)
        reader = VideoReader(io.BytesIO(data), LIMITS, watched)
        reading = asyncio.ensure_future(all_of(reader))
        while not containers or containers[0].packets_read < 10:
            await asyncio.sleep(0.001)
        await reader.close()
        assert watched.running == 0
        with pytest.raises(RuntimeError):
            await reading
        assert watched.most_running == 1
        workers.close()

    asyncio.run(run())
    assert_closed(containers)


def test_a_cancelled_closing_closes_all_the_same(watch_containers: Open) -> None:
    data = video(i / 30 for i in range(30))
    containers = watch_containers(0)

    async def run() -> None:
        workers, gate = Workers(1), threading.Event()
        reader = VideoReader(io.BytesIO(data), LIMITS, workers)
        await reader.open()
        busy = asyncio.ensure_future(workers.run(gate.wait))
        closing = asyncio.ensure_future(reader.close())
        for _ in range(3):
            await asyncio.sleep(0.005)
            closing.cancel()
        gate.set()
        with pytest.raises(asyncio.CancelledError):
            await closing
        assert_closed(containers)
        await busy
        workers.close()

    asyncio.run(asyncio.wait_for(run(), 10))


def test_a_video_outlives_the_pool(watch_containers: Open) -> None:
    """At the service's end the pool may be gone before the last reader is."""
    data = video(i / 30 for i in range(30))
    containers = watch_containers(0)

    async def run() -> None:
        workers = Workers(1)
        stream = VideoReader(io.BytesIO(data), LIMITS, workers).frames(Sampler(0.1))
        await anext(stream)
        workers.close()
        await stream.aclose()

    asyncio.run(run())
    assert [len(container.closed_by) for container in containers] == [1]


@pytest.mark.parametrize(
    "data", [sound_only(), video([0.0]), video(i / 25 for i in range(50))[:-400], video(i / 25 for i in range(50))]
)
def test_a_bad_video_is_closed(data: bytes, watch_containers: Open) -> None:
    containers = watch_containers(0)
    with suppress(DeepharError):
        read(data, limits=VideoLimits(1, 10**7))
    assert_closed(containers)
