"""Files of a few kB that say they hold millions of samples: refused before FFmpeg makes room for them."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from fractions import Fraction

import av
import numpy as np
import pytest

from service.errors import InvalidVideo
from service.video.mp4_boxes import check_counts
from tests.videos import sound_only, video

MILLIONS = 20_000_000


def patched(data: bytes, kind: bytes, offset: int, *numbers: int) -> bytes:
    """The data with these 4-byte numbers in a box, `offset` bytes after its kind."""
    place = data.index(kind) + 4 + offset
    return data[:place] + struct.pack(f">{len(numbers)}I", *numbers) + data[place + 4 * len(numbers) :]


def fragmented() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4", options={"movflags": "frag_keyframe+empty_moov"}) as out:
        stream = out.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(5):
            out.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def with_plain_sound(seconds: int) -> bytes:
    """A MOV whose sound has a sample of its own 48,000 times a second, as cameras write it."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mov") as out:
        stream = out.add_stream("pcm_s16le", rate=48_000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.time_base = 48_000, Fraction(1, 48_000)
        for second in range(seconds):
            frame.pts = 48_000 * second
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


BOMBS: dict[str, Callable[[], bytes]] = {
    "samples of one size": lambda: patched(video(i / 25 for i in range(5)), b"stsz", 4, 1, MILLIONS),
    "samples of one duration": lambda: patched(video(i / 25 for i in range(5)), b"stts", 8, MILLIONS),
    "a fragment": lambda: patched(fragmented(), b"trun", 4, MILLIONS),
    "a table of times": lambda: patched(video(i / 25 for i in range(5)), b"stts", 8, 2**32 - 1),
    "plain sound": lambda: patched(with_plain_sound(1), b"stsz", 8, 100 * MILLIONS),
    "boxes": lambda: struct.pack(">I4s", 8, b"free") * 400_000,
    "a compressed index": lambda: struct.pack(">I4sI4s", 24, b"moov", 16, b"cmov") + bytes(8),
}


@pytest.mark.parametrize("kind", BOMBS)
def test_bombs_are_refused(kind: str) -> None:
    with pytest.raises(InvalidVideo):
        check_counts(io.BytesIO(BOMBS[kind]()))


def test_edits_that_repeat_a_video_are_counted() -> None:
    data = patched(video(i / 25 for i in range(5)), b"stsz", 4, 1, 100_000)
    check_counts(io.BytesIO(data))
    place = data.index(b"elst") - 4
    size = int.from_bytes(data[place : place + 4], "big")
    repeated = struct.pack(">I4sII", 16 + 12 * 100, b"elst", 0, 100) + data[place + 16 : place + size] * 100
    with pytest.raises(InvalidVideo):
        check_counts(io.BytesIO(_instead(data, place, size, repeated)))


def _instead(data: bytes, place: int, size: int, box: bytes) -> bytes:
    """The data with another box in place of one, and with parents that are as much larger."""
    grown = bytearray(data)
    for parent in (b"moov", b"trak", b"edts"):
        start = data.index(parent) - 4
        larger = int.from_bytes(data[start : start + 4], "big") + len(box) - size
        grown[start : start + 4] = larger.to_bytes(4, "big")
    return bytes(grown[:place]) + box + bytes(grown[place + size :])


@pytest.mark.parametrize(
    "data",
    [
        video(i / 25 for i in range(50)),
        video([0.0, 0.1], container="matroska"),
        fragmented(),
        sound_only(),
        with_plain_sound(60),
        b"",
        b"no video",
        bytes(1000),
        video(i / 25 for i in range(50))[:1000],
    ],
)
def test_what_people_send_is_let_through(data: bytes) -> None:
    file = io.BytesIO(data)
    check_counts(file)
    assert file.tell() == 0
