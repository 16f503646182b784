from __future__ import annotations

import asyncio
import gc
import io
import random
import threading
import time
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any

import av
import numpy as np
import pytest

from service.errors import DeepharError, InvalidVideo, PayloadTooLarge, UnsupportedMediaType
from service.video.frame import Frame
from service.video.reader import VideoFacts, VideoLimits, VideoReader
from service.video.sampling import Sampler
from service.vision.crops import Image
from service.workers import Workers
from tests.videos import WatchedContainer, WatchedWorkers, sound_only, video

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


@pytest.mark.parametrize("fps", [12.5, 25, 30, 60])
def test_frames_are_sampled_by_time_whatever_the_rate(fps: float) -> None:
    frames, facts = read(video(i / fps for i in range(int(2 * fps))))
    assert len(frames) == pytest.approx(20, abs=1)
    for tick, frame in enumerate(frames):
        assert tick * 0.1 - 0.002 <= frame.time_s < tick * 0.1 + 1 / fps + 0.002
    assert facts is not None
    assert facts.frames == int(2 * fps)
    assert facts.fps == pytest.approx(fps, rel=0.01)
    assert facts.duration_s == pytest.approx(2, abs=0.02)
    assert (facts.width, facts.height) == (64, 48)


def test_presentation_times_count_not_frame_numbers() -> None:
    """A video that stands still for a second: the frames after it are sampled at their own times."""
    times = [i / 30 for i in range(15)] + [1.5 + i / 30 for i in range(15)]
    frames, _ = read(video(times))
    assert [round(f.time_s, 2) for f in frames] == pytest.approx(
        [0, 0.1, 0.2, 0.3, 0.4, 1.5, 1.6, 1.7, 1.8, 1.9], abs=0.04
    )


def test_pixels_are_those_of_the_frame() -> None:
    frames, _ = read(video(i / 30 for i in range(30)))
    assert [int(rgb(f).mean()) for f in frames] == pytest.approx([2 * f.frame_id for f in frames], abs=3)


@pytest.mark.parametrize(("degrees", "shape"), [(90, (64, 48)), (180, (48, 64)), (270, (64, 48))])
def test_display_rotation_is_honoured(degrees: int, shape: tuple[int, int]) -> None:
    """A white left edge goes where a player that honours the display matrix shows it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        pixels = np.zeros((48, 64, 3), np.uint8)
        pixels[:, :16] = 255
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        out.mux(stream.encode(None))
    # The display matrix in the track header: turned counter-clockwise by so many degrees.
    data = bytearray(buffer.getvalue())
    cos, sin = {90: (0, 1), 180: (-1, 0), 270: (0, -1)}[degrees]
    identity = b"".join(v.to_bytes(4, "big") for v in (0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000))
    place = data.index(identity, data.index(b"tkhd"))

    def fixed(value: int) -> bytes:
        return (value * 0x10000).to_bytes(4, "big", signed=True)

    zero = bytes(4)
    turned = (
        fixed(cos) + fixed(-sin) + zero + fixed(sin) + fixed(cos) + zero + zero + zero + (0x40000000).to_bytes(4, "big")
    )
    data[place : place + 36] = turned
    frames, _ = read(bytes(data), interval_s=0.01)
    image = rgb(frames[0]).mean(axis=2)
    assert image.shape == shape
    edge = {90: image[-8:], 180: image[:, -8:], 270: image[:8]}[degrees]
    assert edge.mean() > 200
    assert image.mean() < 90


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", InvalidVideo),
        (b"this is a text named clip.mp4 and nothing else", InvalidVideo),
        (sound_only(), InvalidVideo),
        (video([0.0]), InvalidVideo),
        (video(i / 25 for i in range(50))[:900], InvalidVideo),
        (b"\xff\xd8\xff\xe0" + bytes(100), UnsupportedMediaType),
        (b"GIF89a" + bytes(100), UnsupportedMediaType),
        (b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n", InvalidVideo),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", InvalidVideo),
    ],
)
def test_bad_videos_get_the_right_error(data: bytes, error: type[DeepharError]) -> None:
    with pytest.raises(error) as caught:
        read(data)
    assert len(str(caught.value)) > 20


def test_too_long_and_too_large() -> None:
    with pytest.raises(PayloadTooLarge, match="longer"):
        read(video(i / 10 for i in range(50)), limits=VideoLimits(2, 10**7))
    with pytest.raises(PayloadTooLarge, match="pixels"):
        read(video(i / 10 for i in range(5)), limits=VideoLimits(60, 1000))


def test_leaving_early_ends_the_decoder() -> None:
    before = threading.active_count()
    frames, _ = read(video(i / 30 for i in range(300)), interval_s=0.01, stop_after=3)
    assert len(frames) == 3
    assert threading.active_count() <= before + 2  # the pool's idle threads end with it


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


async def all_of(reader: VideoReader, interval_s: float = 0.1) -> list[Frame]:
    async with aclosing(reader.frames(Sampler(interval_s))) as frames:
        return [frame async for frame, _ in frames]


def same(frames: list[Frame], expected: list[Frame]) -> bool:
    return len(frames) == len(expected) and all(
        (a.frame_id, a.time_s) == (b.frame_id, b.time_s) and np.array_equal(rgb(a), rgb(b))
        for a, b in zip(frames, expected, strict=True)
    )


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


def test_pictures_that_grow_in_mid_stream() -> None:
    """Two transport streams in one file: the head tells only the size of the first."""
    small, large = (video((i / 25 for i in range(25)), size, "mpegts") for size in ((64, 48), (256, 192)))
    with pytest.raises(PayloadTooLarge, match="pixels"):
        read(small + large, limits=VideoLimits(60, 64 * 48))
    frames, facts = read(small + large)
    assert {rgb(frame).shape[:2] for frame in frames} == {(48, 64), (192, 256)}
    assert facts is not None
    assert (facts.width, facts.height) == (256, 192)


@pytest.mark.parametrize("readings", [0, 1, 8])
def test_a_file_that_cannot_be_read(readings: int) -> None:
    data = video((i / 25 for i in range(100)), container="avi", codec="rawvideo")  # large enough for many readings

    class Failing(io.BytesIO):
        left = readings

        def read(self, size: int | None = -1, /) -> bytes:
            self.left -= 1
            if self.left < 0:
                raise OSError("input/output error")
            return super().read(size)

    async def run() -> None:
        workers = Workers(1)
        try:
            await all_of(VideoReader(Failing(data), LIMITS, workers))
        finally:
            workers.close()

    with pytest.raises(InvalidVideo):
        asyncio.run(run())
