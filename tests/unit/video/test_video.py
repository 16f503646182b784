from __future__ import annotations

import asyncio
import io
import subprocess
import sys
import threading

import av
import numpy as np
import pytest

from service.errors import DeepharError, InvalidVideo, PayloadTooLarge, UnsupportedMediaType
from service.settings import ROOT
from service.video.reader import VideoLimits, VideoReader
from service.workers import Workers
from tests.unit.video.reading import LIMITS, all_of, read, rgb
from tests.videos import sound_only, video


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


def test_pictures_that_grow_in_mid_stream() -> None:
    """Two transport streams in one file: the head tells only the size of the first."""
    small, large = (video((i / 25 for i in range(25)), size, "mpegts") for size in ((64, 48), (256, 192)))
    with pytest.raises(PayloadTooLarge, match="pixels"):
        read(small + large, limits=VideoLimits(60, 64 * 48))
    frames, facts = read(small + large)
    assert {rgb(frame).shape[:2] for frame in frames} == {(48, 64)}
    assert facts is not None
    assert (facts.width, facts.height) == (64, 48)


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


@pytest.mark.parametrize(("spare_mb", "is_short"), [(500, False), (32, True)])
def test_want_of_memory_is_told_from_a_file_that_declares_more_than_there_is(spare_mb: int, is_short: bool) -> None:
    code = f"""
import resource, av
from service.video.film import is_short_of_memory
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + {spare_mb} * 2**20
resource.setrlimit(resource.RLIMIT_AS, (size, size))
print({{is_short_of_memory(error(1, "")) for error in (av.error.MemoryError, av.error.BlockingIOError)}})
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str({is_short})
