"""Reader of video files: upright frames by presentation time, decoded one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, ParamSpec, TypeVar

import av
import numpy as np
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from service.errors import DeepharError, InvalidVideo, PayloadTooLarge, UnsupportedMediaType
from service.video.frame import Frame
from service.video.mp4_boxes import check_counts
from service.video.sampling import Sampler
from service.vision.crops import Image
from service.workers import Workers

# Only real container formats, and nothing that may open other files or addresses (playlists do).
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"
_STEP_S = 0.025  # longest decoding step before its thread is released
_GROWTH, _SMALL = 2, 2_500_000  # pictures may grow in mid-stream by this factor, or to this many pixels
_FFMPEG_THREADS = 2  # for each video; every thread holds frames, and FFmpeg's default is one thread per core

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class VideoFacts:
    """Properties of a video that was read to its end."""

    width: int
    height: int
    frames: int
    fps: float
    duration_s: float


@dataclass(frozen=True)
class VideoLimits:
    """Largest duration, and largest number of pixels of a picture."""

    seconds: float
    pixels: int


class VideoReader:
    """A `FrameSource` of a video file that yields sampled frames only.

    Decoding is pulled: each step is a short job of the pool, begun when the next frame is asked for. Between two steps
    the reader holds no thread. A frame's id is its index in the file, its time is that since the first frame. `facts`
    are known when the frames have ended.

    Args:
        file: The seekable file.
        limits: What is too large to be read.
        workers: The pool of threads.
    """

    dropped, live = 0, False

    def __init__(self, file: BinaryIO, limits: VideoLimits, workers: Workers) -> None:
        self._decoder = _Decoder(file, limits)
        self._workers = workers
        self._turn = asyncio.Lock()  # one job of this video at a time
        self.facts: VideoFacts | None = None

    async def __aenter__(self) -> VideoReader:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def open(self) -> int:
        """Opens the file. Afterwards its frames must be read to the end, or `close` be called.

        Returns:
            The number of pixels of a picture.

        Raises:
            InvalidVideo, UnsupportedMediaType: The file is no video that can be read.
            PayloadTooLarge: Its pictures have too many pixels.
        """
        try:
            return await self._job(self._decoder.open)
        except BaseException:  # also when cancelled: the job may have opened the file
            await self.close()
            raise

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yields the frames that the sampler selects, with its ticks; the others are decoded and discarded.

        Raises:
            InvalidVideo, UnsupportedMediaType: The file is no video that can be read, or it is damaged.
            PayloadTooLarge: It is too long, or its pictures have too many pixels.
        """
        try:
            await self.open()
            while not self._decoder.ended:
                sample = await self._job(self._decoder.step, sampler)
                if sample is not None:
                    yield sample
                del sample  # not to be kept while the next one is decoded
            self.facts = self._decoder.facts
        finally:
            await self.close()

    async def close(self) -> None:
        """Closes the file after the running step, even if the caller is cancelled meanwhile."""
        cancelled = None
        while not self._decoder.closed:
            try:
                await self._job(self._decoder.close)
            except asyncio.CancelledError as error:
                cancelled = error  # raised when the job is done; it may not have begun
            except RuntimeError:  # the pool is shut down: no job of this video runs
                self._decoder.close()
        if cancelled is not None:
            raise cancelled

    async def _job(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        async with self._turn:
            return await self._workers.run(work, *args, **kwargs)


class _Decoder:
    """The blocking decoder. Its methods are jobs for the pool, never two at once."""

    def __init__(self, file: BinaryIO, limits: VideoLimits) -> None:
        self._file, self._limits = file, limits
        self._container: InputContainer | None = None
        self._samples: Generator[tuple[Frame, int] | None, None, None] | None = None
        self._most_pixels = limits.pixels  # of a picture later in the video
        self._size = (0, 0)  # width and height of the last sampled picture, upright
        self.facts: VideoFacts | None = None
        self.ended = self.closed = False

    def open(self) -> int:
        """Returns the number of pixels of a picture, by the file's header."""
        if self.closed:
            raise RuntimeError("the video has been closed")
        with _damage_named():
            if self._container is None:
                self._container = self._opened()
                self._prepare(self._container)
            return _pixels(self._container.streams.video[0].codec_context)

    def step(self, sampler: Sampler) -> tuple[Frame, int] | None:
        """Returns the next sampled frame; None when the step's time is over, or the video has ended."""
        if self._container is None:
            raise RuntimeError("the video is not open")
        if self._samples is None:
            self._samples = self._sampled(self._container, sampler)
        until_s = time.monotonic() + _STEP_S
        with _damage_named():
            for frame in self._samples:
                if frame is not None or time.monotonic() >= until_s:
                    return frame
        self.ended = True
        return None

    def close(self) -> None:
        self.closed = True
        samples, container, self._samples, self._container = self._samples, self._container, None, None
        try:
            if samples is not None:
                samples.close()
        finally:
            if container is not None:
                container.close()

    def _opened(self) -> InputContainer:
        head = self._file.read(16)
        self._file.seek(0)
        if not head:
            raise InvalidVideo("the video is empty (0 bytes); send an MP4, WebM, MKV, AVI or MOV file")
        if head.startswith((b"GIF8", b"\xff\xd8\xff", b"\x89PNG", b"BM")) or (
            head.startswith(b"RIFF") and head[8:12] == b"WEBP"
        ):
            raise UnsupportedMediaType("this is a picture; send pictures to /v1/pose, or a video as MP4 or WebM")
        check_counts(self._file)
        options = {
            "format_whitelist": _FORMATS,
            "protocol_whitelist": "file",
            "max_pixels": str(self._limits.pixels),  # FFmpeg decodes the first pictures while it opens the file
        }
        try:
            return av.open(self._file, mode="r", options=options)
        except (av.FFmpegError, ValueError, OSError) as error:
            raise InvalidVideo("the bytes are not a video; send an MP4, WebM, MKV, AVI or MOV file") from error

    def _prepare(self, container: InputContainer) -> None:
        if not container.streams.video:
            raise InvalidVideo("the file has no video stream (sound only?); send a file with pictures")
        stream = container.streams.video[0]
        if stream.codec_context is None:
            raise InvalidVideo("FFmpeg has no decoder for this video's pictures; send it as H.264 in MP4, or as VP9")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _FFMPEG_THREADS
        self._check_size(stream.codec_context)
        self._most_pixels = min(self._limits.pixels, max(_GROWTH * _pixels(stream.codec_context), _SMALL))
        # Checked by FFmpeg before it allocates a larger picture.
        stream.codec_context.options = {"max_pixels": str(self._most_pixels)}

    def _check_size(self, picture: VideoCodecContext | VideoFrame) -> None:
        if not _pixels(picture):
            raise InvalidVideo("the video does not say how large its pictures are; send it whole, as MP4 or WebM")
        if _pixels(picture) > self._limits.pixels:
            raise PayloadTooLarge(f"the video's pictures have more than {self._limits.pixels} pixels; shrink it first")

    def _sampled(self, container: InputContainer, sampler: Sampler) -> Generator[tuple[Frame, int] | None, None, None]:
        """Yields the sampled frames, and None wherever else a step may end."""
        stream = container.streams.video[0]
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        first_s, time_s, count = None, -1.0, 0
        for frame in self._decoded(container, stream):
            if frame is None:
                yield None
                continue
            self._check_size(frame)
            shown_s = (
                float(frame.pts * stream.time_base) if frame.pts is not None and stream.time_base else count / rate
            )
            first_s = shown_s if first_s is None else first_s
            if shown_s - first_s <= time_s:  # broken time stamps: use the frame rate
                shown_s = first_s + time_s + 1 / rate
            time_s = shown_s - first_s
            if time_s > self._limits.seconds:
                raise PayloadTooLarge(f"the video is longer than {self._limits.seconds:g} s; send a shorter part of it")
            ticks = sampler.ticks(time_s)
            yield (self._sample(frame, count, time_s), ticks) if ticks > 0 else None
            count += 1
        if count < 2:
            raise InvalidVideo("the video has fewer than 2 frames; send a longer one, or a picture to /v1/pose")
        fps = (count - 1) / time_s
        self.facts = VideoFacts(*self._size, count, round(fps, 3), round(time_s + 1 / fps, 3))

    def _decoded(self, container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame | None]:
        """Yields all frames, and None after each packet, since many packets in a row may hold no frame."""
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                # FFmpeg does not say why. After a size over the limit, the codec has that size or none.
                if not 0 < _pixels(stream.codec_context) <= self._most_pixels:
                    raise PayloadTooLarge(
                        f"the video's pictures grow to more than {self._most_pixels} pixels; shrink it first"
                    ) from error
                raise
            yield None

    def _sample(self, frame: VideoFrame, frame_id: int, time_s: float) -> Frame:
        image = _upright(frame)
        self._size = image.shape[1], image.shape[0]
        return Frame(image, frame_id, time_s)


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except DeepharError:
        raise
    except (av.FFmpegError, ValueError, OSError) as error:
        raise InvalidVideo(
            "the video is damaged or of a kind that FFmpeg cannot decode; send it whole, as MP4 or WebM"
        ) from error


def _pixels(picture: VideoCodecContext | VideoFrame) -> int:
    return picture.width * picture.height


def _upright(frame: VideoFrame) -> Image:
    image: Image = frame.to_ndarray(format="rgb24", threads=_FFMPEG_THREADS).astype(np.uint8, copy=False)
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4  # the display matrix turns counter-clockwise
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image
