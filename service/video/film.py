"""Videos as a player shows them: the film among a file's streams, upright, with square pixels, by presentation time.

The service and its Python client each have this module, and a test holds both equal. Needs PyAV and NumPy.
"""

from __future__ import annotations

import struct
import threading
from collections import deque
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import av
import numpy as np
from av.sidedata.sidedata import Type as SideData
from av.stream import Disposition

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

NS = 1_000_000_000
_WITHOUT_PRESENTATION_TIMES = ("avi", "asf")  # containers whose stamps are in the order of decoding
_WITH_JUMPS = ("mpegts", "mpeg")  # containers whose timestamps may restart at any point
_JUMP_NS, _FALL_NS = 10 * NS, NS  # from which a stamp of theirs is no longer of the same clock
_NARROWEST, _WIDEST = Fraction(1, 4), Fraction(4)  # shapes of pixels that are believed
_DISPLAY_MATRIX = SideData.DISPLAYMATRIX
_LEAP_NS = 300 * NS  # a longer gap between two frames is a restarted clock, in any container
_STILL_RATIO = 10  # a track is a still if another one has more than ten times its frames
_DEFAULT_RATE = Fraction(25)
_SPARE = 64 * 2**20  # bytes


class Shape(NamedTuple):
    """How a frame is shown: its size with square pixels, then transposed, then mirrored."""

    width: int  # before it is transposed
    height: int
    transposed: bool = False
    mirrored: bool = False  # from left to right
    upside_down: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Width and height as shown."""
        return (self.height, self.width) if self.transposed else (self.width, self.height)


def is_short_of_memory(error: Exception) -> bool:
    """Returns whether FFmpeg failed for want of memory, or of a thread.

    It says the same of damaged files, as of one that declares more than any machine has: there are both then.
    """
    if not isinstance(error, av.error.MemoryError | av.error.BlockingIOError):
        return False
    try:
        bytearray(_SPARE)
        threading.Thread(target=int).start()
    except (MemoryError, RuntimeError):
        return True
    return False


class Film:
    """The frames of one stream of an open file, in order of time.

    Args:
        container: The open file.
        stream: One of its video streams, see `film_of`.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container, self.stream = container, stream
        self.size = (0, 0)  # width and height of the first frame, as shown
        self.lost = 0  # packets so far that FFmpeg could not decode; at the end, all frames that are missing
        self._shape_of: tuple[tuple[int, int, int], Shape] | None = None  # of the last frame, and what tells it
        self._clock = Clock(container.format.name, stream.average_rate or stream.guessed_rate)
        self._decoding: deque[int] = deque()  # times of the packets whose frames have not come yet
        self._in_decoding_order = container.format.name in _WITHOUT_PRESENTATION_TIMES

    def frames(self) -> Iterator[tuple[VideoFrame, int] | None]:
        """Yields each frame with its time in nanoseconds since the first, and None after each packet.

        Damaged packets are left out and counted. Where the file ends too early, so do the frames.

        Raises:
            av.FFmpegError: The file cannot be read, before its first frame; or there is too little memory.
        """
        frames = whole = 0  # packets from the first that can be decoded alone
        packets = self._container.demux(self.stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                self._count_lost(whole, frames)
                return
            except av.FFmpegError:
                if not frames:
                    raise
                return
            try:
                decoded = self._decoded(packet)
            except av.FFmpegError as error:
                if is_short_of_memory(error):
                    raise
                self.lost += 1
                decoded = []
                if self._decoding:
                    self._decoding.popleft()  # no frame comes for it
            whole += bool(packet.size and not packet.is_discard and (whole or packet.is_keyframe))
            for frame in decoded:
                if not frames:
                    self.size = self._shape(frame).size
                frames += 1
                yield frame, self._clock.time_of(self._stamp(frame))
            yield None

    def _count_lost(self, packets: int, frames: int) -> None:
        """Counts what else was lost where there is damage: a decoder leaves out frames that need a lost one."""
        missing = packets - frames
        if 0 < self.lost < missing < frames:  # more packets than that are the fields of interlaced frames
            self.lost = missing

    def picture(self, frame: VideoFrame, threads: int = 1) -> NDArray[np.uint8]:
        """Returns the pixels (H, W, 3) of a frame in RGB, as a player shows them.

        All have the first one's size: later ones of another size are fitted into it, with black around.
        """
        shape = self._shape(frame)
        width, height = self.size
        scale = min(width / shape.size[0], height / shape.size[1])
        inner = round(shape.width * scale), round(shape.height * scale)
        image: NDArray[np.uint8] = frame.to_ndarray(
            format="rgb24", width=max(1, inner[0]), height=max(1, inner[1]), threads=threads
        ).astype(np.uint8, copy=False)
        if shape.transposed:
            image = image.transpose(1, 0, 2)
        if shape.mirrored:
            image = image[:, ::-1]
        if shape.upside_down:
            image = image[::-1]
        if image.shape[:2] == (height, width):
            return np.ascontiguousarray(image)
        whole = np.zeros((height, width, 3), np.uint8)
        top, left = (height - image.shape[0]) // 2, (width - image.shape[1]) // 2
        whole[top : top + image.shape[0], left : left + image.shape[1]] = image
        return whole

    def _shape(self, frame: VideoFrame) -> Shape:
        key = frame.width, frame.height, frame.rotation
        if self._shape_of is None or self._shape_of[0] != key:
            # Not for each frame: its side data refers to it, and it would stay until the garbage collector runs.
            self._shape_of = key, shape_of(frame, self.stream.sample_aspect_ratio)
        return self._shape_of[1]

    def _decoded(self, packet: Packet[VideoStream]) -> list[VideoFrame]:
        if self._in_decoding_order and packet.size and packet.dts is not None:
            self._decoding.append(packet.dts)
        return list(packet.decode())

    def _stamp(self, frame: VideoFrame) -> Fraction | None:
        """Returns the time that the file says, in seconds."""
        stamp = frame.pts
        if self._in_decoding_order:
            stamp = self._decoding.popleft() if self._decoding else None
        base = frame.time_base or self.stream.time_base
        return None if stamp is None or not base else stamp * base


class Clock:
    """Times since the first frame that rise from frame to frame, whatever the stamps of the file do.

    A frame without a stamp, or with one that is not later than the frame before, comes a period after that.

    Args:
        container: FFmpeg's name of the format.
        rate: Frames a second, as far as it is known.
    """

    def __init__(self, container: str, rate: Fraction | None) -> None:
        self._period_ns = round(NS / (rate or _DEFAULT_RATE))
        self._may_jump = container in _WITH_JUMPS
        self._zero_ns: int | None = None  # stamp of time 0
        self._last_ns: int | None = None

    def time_of(self, stamp_s: Fraction | None) -> int:
        """Returns the time of the next frame, in nanoseconds.

        Args:
            stamp_s: The frame's stamp in seconds; None: it has none.
        """
        stamp_ns = None if stamp_s is None else round(stamp_s * NS)
        if self._last_ns is None:
            self._zero_ns, self._last_ns = stamp_ns, 0
            return 0
        later_ns = self._last_ns + self._period_ns
        if stamp_ns is None:
            self._last_ns = later_ns
            return later_ns
        if self._zero_ns is None:
            self._zero_ns = stamp_ns - later_ns
        passed_ns = stamp_ns - self._zero_ns - self._last_ns
        if passed_ns > _LEAP_NS or (self._may_jump and not -_FALL_NS <= passed_ns <= _JUMP_NS):
            self._zero_ns, passed_ns = stamp_ns - later_ns, self._period_ns
        self._last_ns = self._last_ns + passed_ns if passed_ns > 0 else later_ns
        return self._last_ns


def pictures_of(container: InputContainer) -> list[VideoStream]:
    """Returns the streams of pictures, without covers of sound."""
    return [stream for stream in container.streams.video if not stream.disposition & Disposition.attached_pic]


def film_of(container: InputContainer) -> VideoStream | None:
    """Returns the stream that a player shows: with moving pictures, if there are any; None: there is no video."""
    streams = [stream for stream in pictures_of(container) if stream.codec_context is not None]
    most = max((stream.frames for stream in streams), default=0)
    # Still tracks have one frame, or far fewer than the film. 0: the file does not say how many.
    moving = [stream for stream in streams if stream.frames != 1 and not 0 < stream.frames * _STILL_RATIO < most]
    best = container.streams.best("video")
    candidates = moving or streams
    return next((stream for stream in candidates if stream is best), candidates[0] if candidates else None)


def shape_of(frame: VideoFrame, pixel: Fraction | None) -> Shape:
    """Returns how a frame is shown.

    Args:
        frame: May have a display matrix, row vectors times which are places on the screen.
        pixel: Width of a pixel over its height.
    """
    width, height = frame.width, frame.height
    if pixel and pixel != 1 and _NARROWEST <= pixel <= _WIDEST:
        width, height = (round(width * pixel), height) if pixel > 1 else (width, round(height / pixel))
    try:
        matrix = bytes(frame.side_data[_DISPLAY_MATRIX])  # type: ignore[literal-required]
    except KeyError:
        return Shape(width, height)
    a, b, _, c, d = struct.unpack_from("=5i", matrix)
    if abs(a) + abs(d) >= abs(b) + abs(c):
        return Shape(width, height, mirrored=a < 0, upside_down=d < 0)
    return Shape(width, height, True, mirrored=c < 0, upside_down=b < 0)
