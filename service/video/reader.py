"""Video files to frames, by presentation time, upright, one at a time."""

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
_STEP_S = 0.025  # a decoding step gives its thread back after so long, with a frame or without
_GROWTH, _SMALL = 2, 2_500_000  # a video whose pictures grow may grow so many times, or to so many pixels
_FFMPEG_THREADS = 2  # for one video; each of them holds frames in work, and by itself FFmpeg starts one per core

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class VideoFacts:
    width: int
    height: int
    frames: int
    fps: float
    duration_s: float


@dataclass(frozen=True)
class VideoLimits:
    seconds: float
    pixels: int


class VideoReader:
    """Decodes a video in short jobs of the pool, each when the next frame is asked for.

    A `FrameSource` that yields samples only. A reader that is asked for nothing holds no thread. `facts` are complete
    when the frames have ended. A frame's id is its position in the file, its time is since the first one.
    """

    dropped = 0

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
        """How many pixels each picture has. Who opens reads the frames to their end or calls `close`."""
        try:
            return await self._job(self._decoder.open)
        except BaseException:  # a cancelled caller too: it may have been opened all the same
            await self.close()
            raise

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """The frames that the sampler takes; the others are decoded and thrown away."""
        try:
            await self.open()
            while not self._decoder.ended:
                sample = await self._job(self._decoder.step, sampler)
                if sample is not None:
                    yield sample
                del sample  # or it would be held while the next one is decoded
            self.facts = self._decoder.facts
        finally:
            await self.close()

    async def close(self) -> None:
        """Ends the decoding, once the step that runs is over. Closes even if the caller is cancelled meanwhile."""
        cancelled = None
        while not self._decoder.closed:
            try:
                await self._job(self._decoder.close)
            except asyncio.CancelledError as error:
                cancelled = error  # passed on when the job, which may not have begun, is done
            except RuntimeError:  # the pool is shut down: it takes no jobs, and none of this video runs
                self._decoder.close()
        if cancelled is not None:
            raise cancelled

    async def _job(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        async with self._turn:
            return await self._workers.run(work, *args, **kwargs)


class _Decoder:
    """The decoding itself. Its methods are jobs for the pool, never two at once."""

    def __init__(self, file: BinaryIO, limits: VideoLimits) -> None:
        self._file, self._limits = file, limits
        self._container: InputContainer | None = None
        self._samples: Generator[tuple[Frame, int] | None, None, None] | None = None
        self._most_pixels = limits.pixels  # of pictures further on in the video
        self._size = (0, 0)  # width and height of the last sampled picture, upright
        self.facts: VideoFacts | None = None
        self.ended = self.closed = False

    def open(self) -> int:
        """The pixels of a picture, as the file's head has them."""
        if self.closed:
            raise RuntimeError("the video has been closed")
        with _damage_named():
            if self._container is None:
                self._container = self._opened()
                self._prepare(self._container)
            return _pixels(self._container.streams.video[0].codec_context)

    def step(self, sampler: Sampler) -> tuple[Frame, int] | None:
        """The next sampled frame; None when the time is up before it is there, or when the video has ended."""
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
            "max_pixels": str(self._limits.pixels),  # the first pictures are decoded while the file is opened
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
        # Checked by FFmpeg before it makes room for a picture that is larger than those before it.
        stream.codec_context.options = {"max_pixels": str(self._most_pixels)}

    def _check_size(self, picture: VideoCodecContext | VideoFrame) -> None:
        if not _pixels(picture):
            raise InvalidVideo("the video does not say how large its pictures are; send it whole, as MP4 or WebM")
        if _pixels(picture) > self._limits.pixels:
            raise PayloadTooLarge(f"the video's pictures have more than {self._limits.pixels} pixels; shrink it first")

    def _sampled(self, container: InputContainer, sampler: Sampler) -> Generator[tuple[Frame, int] | None, None, None]:
        """The sampled frames, and None wherever else a step may end."""
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
            if shown_s - first_s <= time_s:  # broken time stamps: go by the frame rate
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
        """All frames, and None after each packet: many packets may bring none, so that a step could not end."""
        for packet in container.demux(stream):
            try:
                yield from packet.decode()
            except av.FFmpegError as error:
                # FFmpeg does not say why. After a size that is over the limit it has that size, or none.
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
