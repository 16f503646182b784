"""Videos as people have them: display matrices, odd stamps, damage, several streams, pixels that are not square."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial

import av
import numpy as np
from numpy.typing import NDArray

WIDTH, HEIGHT, FRAMES, RATE = 64, 48, 30, 25
# Places on the screen of the corners of a stored picture: top left, top right, bottom left, bottom right, by the
# display matrix (a, b, c, d), where x' = a x + c y and y' = b x + d y.
MATRICES = {
    "as_stored": (1, 0, 0, 1),
    "hflip": (-1, 0, 0, 1),
    "vflip": (1, 0, 0, -1),
    "rotate_180": (-1, 0, 0, -1),
    "transpose": (0, 1, 1, 0),
    "rotate_90_clockwise": (0, 1, -1, 0),
    "rotate_90_counter_clockwise": (0, -1, 1, 0),
    "transverse": (0, -1, -1, 0),
}
CORNERS = np.array(
    [[220, 40, 30], [40, 200, 60], [40, 60, 220], [230, 220, 60]]
)  # top left, top right, bottom left, ...


@dataclass(frozen=True)
class OddVideo:
    """A video, and what is right for it."""

    name: str
    data: bytes
    size: tuple[int, int] = (WIDTH, HEIGHT)
    frames: int = FRAMES
    fps: float = RATE
    lost: int = 0  # -1: any number; -2: all that are missing
    duration_s: float | None = None  # None: by its frames
    corners: tuple[int, int, int, int] = (0, 1, 2, 3)  # which stored corner is shown at each place

    def __str__(self) -> str:
        return self.name


def picture(size: tuple[int, int] = (WIDTH, HEIGHT), i: int = 0) -> NDArray[np.uint8]:
    """Four colours, and a spot that moves from frame to frame."""
    width, height = size
    quarters = CORNERS.reshape(2, 2, 3).astype(np.uint8)
    rows, columns = (np.arange(height) * 2 // height), (np.arange(width) * 2 // width)
    image = quarters[rows][:, columns].copy()
    x = width // 4 + i % (width // 4)
    image[height // 2 - 3 : height // 2 + 3, x : x + 6] = 255
    return image


def film(
    container: str = "mp4",
    codec: str = "libx264",
    size: tuple[int, int] = (WIDTH, HEIGHT),
    frames: int = FRAMES,
    pix_fmt: str = "yuv420p",
    options: dict[str, str] | None = None,
    pixel: Fraction | None = None,
    container_options: dict[str, str] | None = None,
) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container, options=container_options or {}) as out:
        quiet = {"x265-params": "log-level=none"} if codec == "libx265" else {}
        stream = out.add_stream(codec, rate=RATE, options={"g": "10", **quiet, **(options or {})})
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, pix_fmt
        if pixel is not None:
            stream.codec_context.sample_aspect_ratio = pixel
        for i in range(frames):
            out.mux(
                stream.encode(av.VideoFrame.from_ndarray(picture(size, i), format="rgb24").reformat(format=pix_fmt))
            )
        out.mux(stream.encode(None))
    return buffer.getvalue()


def with_matrix(mp4: bytes, matrix: tuple[int, int, int, int], size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """The MP4 with this display matrix in its track's header."""
    identity = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    place = mp4.index(identity, mp4.index(b"tkhd"))
    a, b, c, d = (value * 0x10000 for value in matrix)
    width, height = size
    x = (width if matrix[0] < 0 or matrix[2] < 0 else 0) * 0x10000
    y = (height if matrix[1] < 0 or matrix[3] < 0 else 0) * 0x10000
    turned = struct.pack(">9i", a, b, 0, c, d, 0, x, y, 0x40000000)
    return mp4[:place] + turned + mp4[place + 36 :]


def shown_corners(matrix: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    """Which stored corner is shown at the top left, top right, bottom left, bottom right."""
    a, b, c, d = matrix
    places = {}
    for index, (x, y) in enumerate(((-1, -1), (1, -1), (-1, 1), (1, 1))):
        places[a * x + c * y, b * x + d * y] = index
    return places[-1, -1], places[1, -1], places[-1, 1], places[1, 1]


def remuxed(data: bytes, container: str, stamps: Callable[[int, int], int | None]) -> bytes:
    """The packets of a video without B-frames in another container.

    Args:
        data: The video.
        container: Format of the new file.
        stamps: From a packet's index and its stamp in milliseconds to the new one.
    """
    buffer = io.BytesIO()
    with av.open(io.BytesIO(data), "r") as source, av.open(buffer, "w", format=container) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        last = -1
        for i, packet in enumerate(p for p in source.demux(source.streams.video[0]) if p.size):
            assert packet.pts is not None
            assert packet.time_base is not None
            stamp = stamps(i, round(packet.pts * packet.time_base * 1000))
            packet.time_base = Fraction(1, 1000)
            packet.pts = stamp
            packet.dts = last = max(last, stamp if stamp is not None else last)
            packet.stream = stream
            out.mux(packet)
    return buffer.getvalue()


def damaged(data: bytes, places: Iterable[float], length: int = 12) -> bytes:
    """The video with some bytes overwritten, at these shares of its size."""
    rng = np.random.default_rng(0)
    changed = bytearray(data)
    for place in places:
        start = int(place * len(data))
        changed[start : start + length] = rng.integers(0, 256, length, np.uint8).tobytes()
    return bytes(changed)


def with_lost_packets(data: bytes, container: str, lost: range) -> bytes:
    """The packets of a video in a new file, some of them as zeros."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(data), "r") as source, av.open(buffer, "w", format=container) as out:
        stream = out.add_stream_from_template(source.streams.video[0])
        for i, packet in enumerate(p for p in source.demux(source.streams.video[0]) if p.size):
            if i in lost:
                packet.update(bytes(packet.size))
            packet.stream = stream
            out.mux(packet)
    return buffer.getvalue()


def with_still_first(mp4: bytes, frames: int = 1) -> bytes:
    """The film as the second track of a file whose first is a single picture, or a few."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(mp4), "r") as source, av.open(buffer, "w", format="mp4") as out:
        still = out.add_stream("libx264", rate=RATE)
        assert isinstance(still, av.VideoStream)
        still.width, still.height, still.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream = out.add_stream_from_template(source.streams.video[0])
        grey = np.full((HEIGHT, WIDTH, 3), 128, np.uint8)
        for _ in range(frames):
            out.mux(still.encode(av.VideoFrame.from_ndarray(grey, format="rgb24")))
        out.mux(still.encode(None))
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = stream
                out.mux(packet)
    return buffer.getvalue()


def turned() -> Iterator[OddVideo]:
    mp4 = film()
    for name, matrix in MATRICES.items():
        size = (WIDTH, HEIGHT) if matrix[0] else (HEIGHT, WIDTH)
        yield OddVideo(f"mp4-{name}", with_matrix(mp4, matrix), size, corners=shown_corners(matrix))
        wide = film(size=(WIDTH // 2, HEIGHT), pixel=Fraction(2))
        data = with_matrix(wide, matrix, (WIDTH, HEIGHT))
        yield OddVideo(f"mp4-wide_pixels-{name}", data, size, corners=shown_corners(matrix))


def formats() -> Iterator[OddVideo]:
    for container, codec in (
        ("mp4", "libx264"),
        ("mp4", "libx265"),
        ("mp4", "mpeg4"),
        ("mov", "mjpeg"),
        ("mov", "libx264"),
        ("matroska", "libx264"),
        ("matroska", "ffv1"),
        ("webm", "libvpx"),
        ("webm", "libvpx-vp9"),
        ("avi", "mpeg4"),
        ("avi", "mjpeg"),
        ("avi", "rawvideo"),
        ("mpegts", "libx264"),
        ("mpegts", "mpeg2video"),
        ("mpeg", "mpeg2video"),
        ("flv", "libx264"),
        ("asf", "msmpeg4v3"),
        ("asf", "wmv2"),
        ("ogg", "libtheora"),
        ("3gp", "mpeg4"),
    ):
        if codec not in av.codecs_available:
            continue
        pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        yield OddVideo(f"{container}-{codec}", film(container, codec, pix_fmt=pix_fmt))
    for pix_fmt in ("yuvj420p", "yuv422p", "yuv444p", "yuv420p10le", "gray"):
        yield OddVideo(f"mp4-{pix_fmt}", film(pix_fmt=pix_fmt), corners=(0, 1, 2, 3) if pix_fmt != "gray" else GREY)
    for container in ("mp4", "matroska", "avi", "mpegts", "flv"):
        yield OddVideo(f"{container}-b_frames", film(container, options={"bf": "3", "x264-params": "b-adapt=0"}))
    fragments = {"movflags": "frag_keyframe+empty_moov"}
    yield OddVideo("mp4-fragments", film(container_options=fragments))
    for shape in (Fraction(2), Fraction(1, 2), Fraction(4, 3), Fraction(100)):
        width, height = round(WIDTH * max(shape, Fraction(1))), round(HEIGHT / min(shape, Fraction(1)))
        size = (width, height) if shape < 10 else (WIDTH, HEIGHT)
        yield OddVideo(f"mp4-pixels_of_{float(shape):.2f}", film(pixel=shape), size)
    yield OddVideo("mp4-still_first", with_still_first(film()))
    yield OddVideo("mp4-two_stills_first", with_still_first(film(), frames=2))


def stamped() -> Iterator[OddVideo]:
    plain = film("matroska", options={"bf": "0"})
    transport = film("mpegts", options={"bf": "0"})
    yield OddVideo("mkv-groups_of_equal_stamps", remuxed(plain, "matroska", lambda i, ms: ms - ms % 160))
    yield OddVideo("mkv-all_stamps_zero", remuxed(plain, "matroska", lambda i, ms: 0))
    yield OddVideo("mkv-begins_late", remuxed(plain, "matroska", lambda i, ms: ms + 3_600_000))
    for jump_ms in (1_000_000, 50_000_000):
        moved = remuxed(transport, "mpegts", partial(_jumped, jump_ms))
        yield OddVideo(f"ts-jumps_by_{jump_ms}_ms", moved)
    for container in ("matroska", "flv"):
        yield OddVideo(f"{container}-leaps", remuxed(plain, container, partial(_jumped, 1_000_000)))
    yield OddVideo("flv-first_stamp_is_zero", remuxed(plain, "flv", lambda i, ms: ms + 5_000_000 * (i > 0)))
    first, second = film("mpegts", frames=15), film("mpegts", frames=15)
    yield OddVideo("ts-clock_starts_again", first + second)
    later = remuxed(transport, "mpegts", lambda i, ms: ms + 7_200_000)
    yield OddVideo("ts-clock_falls", later[: len(later) // 188 // 2 * 188] + film("mpegts"), frames=-1)


def _jumped(by_ms: int, index: int, stamp_ms: int) -> int:
    return stamp_ms + by_ms * (index >= FRAMES // 2)


def hurt() -> Iterator[OddVideo]:
    for container, codec in (("mp4", "libx264"), ("mp4", "libx265"), ("matroska", "libx264"), ("mpegts", "libx264")):
        if codec in av.codecs_available:
            whole = film(container, codec, frames=50, options={"bf": "0"})
            yield OddVideo(f"{container}-{codec}-damaged", damaged(whole, (0.4, 0.55)), frames=-1, lost=-1)
    for container, codec in (("avi", "mjpeg"), ("avi", "mpeg4"), ("asf", "wmv2")):
        whole = film(container, codec, pix_fmt="yuvj420p" if codec == "mjpeg" else "yuv420p", options={"g": "1"})
        data = with_lost_packets(whole, container, range(12, 16))
        yield OddVideo(f"{container}-{codec}-lost_packets", data, frames=FRAMES - 4, lost=4, duration_s=FRAMES / RATE)
    if "libx265" in av.codecs_available:
        whole = film("mp4", "libx265", frames=60, options={"x265-params": "log-level=none:bframes=0"})
        data = with_lost_packets(whole, "mp4", range(33, 35))
        yield OddVideo("mp4-libx265-lost_packets", data, frames=-1, lost=-2)
    mjpeg = film("avi", "mjpeg", pix_fmt="yuvj420p", frames=60)
    index = mjpeg.rindex(b"idx1")
    last = mjpeg.rindex(b"00dc", 0, index)
    yield OddVideo("avi-cut_in_its_last_frame", mjpeg[: last + 200], frames=59, lost=1)
    yield OddVideo("avi-without_index", mjpeg[:index], frames=60)
    for container in ("matroska", "mpegts", "flv"):
        data = film(container, options={"bf": "0"})
        yield OddVideo(f"{container}-cut", data[: len(data) * 2 // 3], frames=-1, lost=-1)


GREY = (-1, -1, -1, -1)


def all_of_them() -> list[OddVideo]:
    return [*turned(), *formats(), *stamped(), *hurt()]
