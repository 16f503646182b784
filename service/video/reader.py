"""Reader of video files: upright frames by presentation time, decoded one at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO, ParamSpec, TypeVar

import av
from av.container import InputContainer
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from service.errors import DeepharError, InvalidVideo, PayloadTooLarge, UnsupportedMediaType
from service.telemetry.metrics import METRICS
from service.video.film import Film, film_of, is_short_of_memory, pictures_of
from service.video.frame import Frame
from service.video.mp4_boxes import check_counts, lacks_index
from service.video.sampling import Sampler
from service.vision.file_kinds import is_picture, is_still
from service.workers import Workers

# Only real container formats, and nothing that may open other files or addresses (playlists do).
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"
_CUT_OFF = "the video is cut off: its index is not whole; send all of it"
_HEAD = 16  # bytes that tell a picture from a video
_STEP_S = 0.025  # longest decoding step before its thread is released
_GROWTH, _SMALL = 2, 2_500_000  # pictures may grow in mid-stream by this factor, or to this many pixels
_FFMPEG_THREADS = 2  # for each video; every thread holds frames, and FFmpeg's default is one thread per core

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True)
class VideoFacts:
    """Properties of a video that was read to its end. Its size is the first picture's; others are fitted into it."""

    width: int
    height: int
    frames: int
    lost_frames: int  # could not be decoded
    fps: float
    duration_s: float

    @staticmethod
    def of(size: tuple[int, int], frames: int, lost_frames: int, last_ns: int) -> VideoFacts:
        """Returns the properties of at least two frames, of which the last has this time."""
        last_s = last_ns / 1e9
        fps = (frames - 1) / last_s
        return VideoFacts(*size, frames, lost_frames, round(fps, 3), round(last_s + 1 / fps, 3))


@dataclass(frozen=True)
class VideoLimits:
    """Largest duration, and largest number of pixels of a picture."""

    seconds: float
    pixels: int

    def check_length(self, time_ns: int) -> None:
        """Raises `PayloadTooLarge` where a frame comes later than the video may last."""
        if time_ns > self.seconds * 1e9:
            raise PayloadTooLarge(f"the video is longer than {self.seconds:g} s; send a shorter part of it")


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


def open_container(file: BinaryIO, most_pixels: int) -> InputContainer:
    """Returns an open video file, which refers to no other one.

    Args:
        file: The seekable file.
        most_pixels: Of a picture: FFmpeg decodes the first ones while it opens the file.

    Raises:
        av.FFmpegError, ValueError, OSError: It is no video.
    """
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file", "max_pixels": str(most_pixels)}
    return av.open(file, mode="r", options=options)


class _Decoder:
    """The blocking decoder. Its methods are jobs for the pool, never two at once."""

    def __init__(self, file: BinaryIO, limits: VideoLimits) -> None:
        self._file, self._limits = file, limits
        self._container: InputContainer | None = None
        self._film: Film | None = None
        self._samples: Generator[tuple[Frame, int] | None, None, None] | None = None
        self._most_pixels = limits.pixels  # of a picture later in the video
        self.facts: VideoFacts | None = None
        self.ended = self.closed = False

    def open(self) -> int:
        """Returns the number of pixels of a picture, by the file's header."""
        if self.closed:
            raise RuntimeError("the video has been closed")
        with _damage_named():
            if self._container is None:
                self._container = self._opened()
                self._film = self._prepare(self._container)
            assert self._film is not None
            return _pixels(self._film.stream.codec_context)

    def step(self, sampler: Sampler) -> tuple[Frame, int] | None:
        """Returns the next sampled frame; None when the step's time is over, or the video has ended."""
        if self._film is None:
            raise RuntimeError("the video is not open")
        if self._samples is None:
            self._samples = self._sampled(self._film, sampler)
        until_s = time.monotonic() + _STEP_S
        with _damage_named(), METRICS.stage("decode").time():
            for frame in self._samples:
                if frame is not None or time.monotonic() >= until_s:
                    return frame
        self.ended = True
        return None

    def close(self) -> None:
        self.closed = True
        samples, container = self._samples, self._container
        self._samples = self._film = self._container = None
        try:
            if samples is not None:
                samples.close()
        finally:
            if container is not None:
                container.close()

    def _opened(self) -> InputContainer:
        head = self._file.read(_HEAD)
        self._file.seek(0)
        if not head:
            raise InvalidVideo("the video is empty (0 bytes); send an MP4, WebM, MKV, AVI or MOV file")
        if head.startswith(b"GIF8"):
            raise UnsupportedMediaType("this is a GIF; send a video as MP4 or WebM")
        if is_picture(head) or is_still(head):
            raise UnsupportedMediaType("this is a picture; send pictures to /v1/pose, or a video as MP4 or WebM")
        check_counts(self._file)
        try:
            return open_container(self._file, self._limits.pixels)
        except (av.FFmpegError, ValueError, OSError) as error:
            if is_short_of_memory(error):
                raise MemoryError from error
            if lacks_index(self._file):
                raise InvalidVideo(_CUT_OFF) from error
            raise InvalidVideo(
                "the bytes are not a video that is read here; send an MP4, WebM, MKV, AVI or MOV file"
            ) from error

    def _prepare(self, container: InputContainer) -> Film:
        if not pictures_of(container):
            if lacks_index(self._file):
                raise InvalidVideo(_CUT_OFF)
            raise InvalidVideo("the file has no video stream (sound only?); send a file with pictures")
        stream = film_of(container)
        if stream is None:
            raise InvalidVideo("FFmpeg has no decoder for this video's pictures; send it as H.264 in MP4, or as VP9")
        stream.thread_type = "AUTO"
        stream.codec_context.thread_count = _FFMPEG_THREADS
        self._check_size(stream.codec_context)
        self._most_pixels = min(self._limits.pixels, max(_GROWTH * _pixels(stream.codec_context), _SMALL))
        # Checked by FFmpeg before it allocates a larger picture.
        stream.codec_context.options = {"max_pixels": str(self._most_pixels)}
        return Film(container, stream)

    def _check_size(self, picture: VideoCodecContext | VideoFrame) -> None:
        if not _pixels(picture):
            raise InvalidVideo("the video does not say how large its pictures are; send it whole, as MP4 or WebM")
        if _pixels(picture) > self._limits.pixels:
            raise self._too_large()

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"the video's pictures have more than {self._limits.pixels} pixels; shrink it first")

    def _sampled(self, film: Film, sampler: Sampler) -> Generator[tuple[Frame, int] | None, None, None]:
        """Yields the sampled frames, and None wherever else a step may end."""
        time_ns, count, lost = 0, 0, 0
        for read in film.frames():
            if read is None:
                if film.lost > lost:
                    lost = film.lost
                    self._check_growth(film.stream.codec_context)
                yield None
                continue
            frame, time_ns = read
            self._check_size(frame)
            if film.size[0] * film.size[1] > self._limits.pixels:  # with square pixels it may be larger
                raise self._too_large()
            self._limits.check_length(time_ns)
            ticks = sampler.ticks(time_ns)
            yield (self._sample(film, frame, count, time_ns), ticks) if ticks > 0 else None
            count += 1
        lost = film.lost
        if count < 2:
            raise InvalidVideo(
                f"the video is damaged: of {count + lost} frames {lost} cannot be decoded; send the whole file"
                if lost
                else "the video has fewer than 2 frames; send a longer one, or a picture to /v1/pose"
            )
        self.facts = VideoFacts.of(film.size, count, lost, time_ns)

    def _check_growth(self, codec: VideoCodecContext) -> None:
        """Raises `PayloadTooLarge` where a packet was lost since its picture is too large: FFmpeg does not say why.

        After a size over the limit, the codec has that size or none.
        """
        if not 0 < _pixels(codec) <= self._most_pixels:
            raise PayloadTooLarge(f"the video's pictures grow to more than {self._most_pixels} pixels; shrink it first")

    def _sample(self, film: Film, frame: VideoFrame, frame_id: int, time_ns: int) -> Frame:
        return Frame(film.picture(frame, _FFMPEG_THREADS), frame_id, time_ns)


@contextmanager
def _damage_named() -> Iterator[None]:
    try:
        yield
    except DeepharError:
        raise
    except (av.FFmpegError, ValueError, OSError) as error:
        if is_short_of_memory(error):
            raise MemoryError from error
        raise InvalidVideo(
            "the video is damaged or of a kind that FFmpeg cannot decode; send it whole, as MP4 or WebM"
        ) from error


def _pixels(picture: VideoCodecContext | VideoFrame) -> int:
    return picture.width * picture.height
