"""Videos into which something is drawn: H.264 in fragmented MP4, written as the frames come.

Needs PyAV and NumPy.
"""

from __future__ import annotations

from contextlib import suppress
from fractions import Fraction
from os import PathLike, fspath
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import av
import numpy as np
from av.video.frame import PictureType
from av.video.reformatter import ColorRange

from deephar.sound import Sound

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

LONGEST_SIDE = 16_384  # pixels; x264 takes no longer one
_TICKS = 90_000  # a second, in which frames' times are written
_KEYFRAME_S = 1.0  # between two pictures that can be decoded alone: what is held back, and what is lost at a cut
_THREADS = 2
# Zero latency: no frame waits for later ones, which would cost memory.
_X264 = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "threads": str(_THREADS)}
_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"
_DELAYED = "+delay_moov"  # for sound whose header is known only with its first packet
_BT709 = 1  # FFmpeg's number of it, for the matrix, the primaries and the transfer curve
_DEFAULT_RATE = 25.0


class Sink(Protocol):
    """What can be written to, as a file or a pipe."""

    def write(self, data: bytes, /) -> object: ...


class AnnotatedVideo:
    """A fragmented MP4 file of H.264 and of a source's sound, as it is made.

    Nothing is held but the fragment that is being made, about a second. What has been written can be played whenever
    the rest is missing. Leaving the context finishes the video; leaving it with an error leaves it as it is.

    Args:
        sink: A path, or what can be written to; it need not be seekable, and is not closed.
        size: Width and height of the frames. Odd ones are rounded up, with the last row or column once more.
        rate: Frames a second, as far as it is known; frames may have any times. None: unknown.
        audio_from: The source whose sound is kept: a path, or an open container of its own, which nothing else reads.
            Its first picture has time 0.

    Raises:
        ValueError: The frames are too long for H.264.
        OSError: The sink cannot be written to.
    """

    def __init__(
        self,
        sink: str | PathLike[str] | Sink,
        size: tuple[int, int],
        rate: float | None = None,
        audio_from: str | PathLike[str] | InputContainer | None = None,
    ) -> None:
        if max(size) > LONGEST_SIDE:
            raise ValueError(f"a video has at most {LONGEST_SIDE} pixels a side, not {max(size)}")
        self._size = size
        self._picture_size = size[0] + size[0] % 2, size[1] + size[1] % 2
        self._last, self._keyframe_s = -1, 0.0
        self._period_s = 1 / (rate or _DEFAULT_RATE)
        self._own_source: InputContainer | None = None
        self._sound: Sound | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        try:
            self._open(sink, rate, audio_from)
        except BaseException:
            self.close()
            raise

    def _open(
        self,
        sink: str | PathLike[str] | Sink,
        rate: float | None,
        audio_from: str | PathLike[str] | InputContainer | None,
    ) -> None:
        if isinstance(audio_from, str | PathLike):
            audio_from = self._own_source = av.open(fspath(audio_from))
        self._sound = Sound.of(audio_from) if audio_from is not None else None
        late = self._sound is not None and self._sound.needs_late_header
        container = av.open(
            fspath(sink) if isinstance(sink, str | PathLike) else _Written(sink),
            "w",
            format="mp4",
            container_options={"movflags": _FRAGMENTS + (_DELAYED if late else "")},
        )
        self._container = container
        width, height = self._picture_size
        per_second = Fraction(rate or _DEFAULT_RATE).limit_denominator(1001)
        stream = container.add_stream("libx264", per_second, _X264, width=width, height=height, pix_fmt="yuv420p")
        codec = stream.codec_context
        codec.time_base = Fraction(1, _TICKS)
        codec.colorspace = codec.color_primaries = codec.color_trc = _BT709
        codec.color_range = ColorRange.MPEG
        self._stream = stream
        if self._sound is not None:
            self._sound.add_to(container)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.finish()
        finally:
            self.close()

    def write(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Encodes the next frame, and writes the sound up to it.

        Args:
            image: (H, W, 3), RGB, of the video's size.
            time_s: Since the first frame; it rises from frame to frame.

        Raises:
            ValueError: The frame has another size, or a time that is not later than that of the frame before.
            OSError: The sink cannot be written to.
        """
        if self._container is None or self._stream is None:
            raise ValueError("the video has ended")
        width, height = self._size
        if image.shape != (height, width, 3):
            raise ValueError(f"the video's frames have the shape {(height, width, 3)}, not {image.shape}")
        pts = round(time_s * _TICKS)
        if pts <= self._last:
            raise ValueError(f"times must rise from frame to frame; {time_s} s came after {self._last / _TICKS} s")
        frame = av.VideoFrame.from_ndarray(self._even(image), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", threads=_THREADS)
        frame.pts, frame.time_base = pts, Fraction(1, _TICKS)
        if self._last < 0 or time_s >= self._keyframe_s:
            frame.pict_type = PictureType.I
            self._keyframe_s = time_s + _KEYFRAME_S
        self._container.mux(self._stream.encode(frame))
        if self._sound is not None:
            self._sound.write_until(time_s)
        self._last = pts

    def _even(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._picture_size == self._size:
            return image
        (width, height), (even_width, even_height) = self._size, self._picture_size
        return np.pad(image, ((0, even_height - height), (0, even_width - width), (0, 0)), "edge")

    def finish(self) -> None:
        """Writes what is left, with some seconds of sound that goes on after the last frame, and ends the video.

        Raises:
            OSError: The sink cannot be written to.
        """
        if self._container is None or self._stream is None:
            return
        self._container.mux(self._stream.encode(None))
        if self._sound is not None and self._last >= 0:
            self._sound.write_rest(self._last / _TICKS + self._period_s)
        self._container.close()
        self.close()

    def close(self) -> None:
        """Frees everything. A video that was not finished ends with what has been written."""
        container, self._container = self._container, None
        # The encoder goes with the stream, and takes 20 MB with it at 720p. They must not be left to Python's garbage
        # collector: a sink that knows this video, as it may, would keep them until then.
        self._stream = None
        if self._sound is not None:
            self._sound.close()
        self._sound = None
        if container is not None:
            with suppress(av.FFmpegError, OSError, ValueError):  # the sink may be what failed
                container.close()
        source, self._own_source = self._own_source, None
        if source is not None:
            source.close()


class _Written:
    """What PyAV sees of a sink: it can be written to, and nothing else, so that nothing seeks in it or closes it."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> int:
        self._sink.write(data)
        return len(data)
