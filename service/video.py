"""Video files to frames, by presentation time, upright, one at a time."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass
from typing import BinaryIO

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame

from service.errors import DeepharError, InvalidVideo, PayloadTooLarge, UnsupportedMediaType
from service.geometry import Image
from service.sampling import Sampler
from service.workers import Workers

# Only real container formats, and nothing that may open other files or addresses (playlists do).
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,ogg,asf"
_WAITING_FRAMES = 4


@dataclass(frozen=True)
class VideoFacts:
    width: int
    height: int
    frames: int
    fps: float
    duration_s: float


@dataclass(frozen=True)
class VideoFrameAt:
    image: Image
    frame_id: int  # position in the file
    time_s: float  # presentation time since the first frame


@dataclass(frozen=True)
class VideoLimits:
    seconds: float
    pixels: int


class VideoReader:
    """Decodes in a thread and holds a few frames at most. `facts` are complete when the frames have ended."""

    def __init__(self, file: BinaryIO, limits: VideoLimits, workers: Workers) -> None:
        self._file, self._limits, self._workers = file, limits, workers
        self.facts: VideoFacts | None = None

    async def frames(self, interval_s: float) -> AsyncGenerator[VideoFrameAt, None]:
        """The frames that a `Sampler` of this interval takes; the others are decoded and thrown away."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[VideoFrameAt | BaseException | None] = asyncio.Queue()
        places = asyncio.Semaphore(_WAITING_FRAMES)
        stopped = False

        def decode() -> None:
            end: BaseException | None = None
            try:
                for frame in self._decoded(interval_s):
                    asyncio.run_coroutine_threadsafe(places.acquire(), loop).result()
                    if stopped:
                        return
                    loop.call_soon_threadsafe(queue.put_nowait, frame)
            except BaseException as error:  # handed to the reader, which raises it
                end = error
            with contextlib.suppress(RuntimeError):  # the loop may be gone
                loop.call_soon_threadsafe(queue.put_nowait, end)

        decoding = asyncio.ensure_future(self._workers.run(decode))
        try:
            while (item := await queue.get()) is not None:
                if isinstance(item, BaseException):
                    raise item
                yield item
                places.release()
        finally:
            stopped = True
            places.release()
            await asyncio.shield(decoding)

    def _decoded(self, interval_s: float) -> Iterator[VideoFrameAt]:
        try:
            with self._open() as container:
                yield from self._sampled(container, interval_s)
        except DeepharError:
            raise
        except (av.FFmpegError, ValueError, OSError) as error:
            raise InvalidVideo(
                "the video is damaged or of a kind that FFmpeg cannot decode; send it whole, as MP4 or WebM"
            ) from error

    def _open(self) -> InputContainer:
        head = self._file.read(16)
        self._file.seek(0)
        if not head:
            raise InvalidVideo("the video is empty (0 bytes); send an MP4, WebM, MKV, AVI or MOV file")
        if head.startswith((b"GIF8", b"\xff\xd8\xff", b"\x89PNG", b"BM")) or (
            head.startswith(b"RIFF") and head[8:12] == b"WEBP"
        ):
            raise UnsupportedMediaType("this is a picture; send pictures to /v1/pose, or a video as MP4 or WebM")
        try:
            return av.open(self._file, mode="r", options={"format_whitelist": _FORMATS, "protocol_whitelist": "file"})
        except (av.FFmpegError, ValueError, OSError) as error:
            raise InvalidVideo("the bytes are not a video; send an MP4, WebM, MKV, AVI or MOV file") from error

    def _sampled(self, container: InputContainer, interval_s: float) -> Iterator[VideoFrameAt]:
        if not container.streams.video:
            raise InvalidVideo("the file has no video stream (sound only?); send a file with pictures")
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        if stream.codec_context.width * stream.codec_context.height > self._limits.pixels:
            raise PayloadTooLarge(f"the video's pictures have more than {self._limits.pixels} pixels; shrink it first")
        rate = float(stream.average_rate or stream.guessed_rate or 25)
        sampler = Sampler(interval_s)
        first_s, time_s, count, width, height = None, -1.0, 0, 0, 0
        for frame in container.decode(stream):
            shown_s = (
                float(frame.pts * stream.time_base) if frame.pts is not None and stream.time_base else count / rate
            )
            first_s = shown_s if first_s is None else first_s
            if shown_s - first_s <= time_s:  # broken time stamps: go by the frame rate
                shown_s = first_s + time_s + 1 / rate
            time_s = shown_s - first_s
            if time_s > self._limits.seconds:
                raise PayloadTooLarge(f"the video is longer than {self._limits.seconds:g} s; send a shorter part of it")
            if sampler.ticks(time_s) > 0:
                image = _upright(frame)
                height, width = image.shape[:2]
                yield VideoFrameAt(image, count, time_s)
            count += 1
        if count < 2:
            raise InvalidVideo("the video has fewer than 2 frames; send a longer one, or a picture to /v1/pose")
        fps = (count - 1) / time_s
        self.facts = VideoFacts(width, height, count, round(fps, 3), round(time_s + 1 / fps, 3))


def _upright(frame: VideoFrame) -> Image:
    image: Image = frame.to_ndarray(format="rgb24").astype(np.uint8, copy=False)
    quarters = round(getattr(frame, "rotation", 0) / 90) % 4  # the display matrix turns counter-clockwise
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image
