"""Small videos for tests, made with FFmpeg's own encoders."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av
import numpy as np

from service.workers import Workers


def video(
    times_s: Iterable[float], size: tuple[int, int] = (64, 48), container: str = "mp4", codec: str = "libx264"
) -> bytes:
    """One frame at each time; frame i is of brightness 2 i."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        stream = out.add_stream(codec, rate=1000)
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        for i, time_s in enumerate(times_s):
            pixels = np.full((size[1], size[0], 3), min(255, 2 * i), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = round(time_s * 1000), Fraction(1, 1000)
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def first_frames(data: bytes, count: int) -> bytes:
    """The first so many frames of a video, as MP4."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(data), "r") as source, av.open(buffer, "w", format="mp4") as out:
        seen = source.streams.video[0]
        stream = out.add_stream("libx264", rate=seen.average_rate)
        stream.width, stream.height, stream.pix_fmt = seen.width, seen.height, "yuv420p"
        for i, frame in enumerate(source.decode(seen)):
            if i == count:
                break
            frame.pict_type = 0  # the encoder chooses
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


def sound_only() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=44100)
        for i in range(20):
            frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
            frame.sample_rate, frame.pts = 44100, i * 1024
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return buffer.getvalue()


class WatchedWorkers(Workers):
    """The pool as one reader sees it: no two of its jobs may run at once."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._lock = threading.Lock()
        self.running = 0
        self.most_running = 0

    async def run(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return await self._workers.run(self._watched, work, *args, **kwargs)

    def _watched(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        with self._lock:
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            return work(*args, **kwargs)
        finally:
            with self._lock:
                self.running -= 1


class WatchedContainer:
    """An open container that is slow at will and knows which threads closed it."""

    def __init__(self, container: Any, packet_s: float) -> None:
        self._container, self._packet_s = container, packet_s
        self.closed_by: list[str] = []
        self.packets_read = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)

    def demux(self, *streams: Any) -> Iterator[Any]:
        for packet in self._container.demux(*streams):
            time.sleep(self._packet_s)
            assert not self.closed_by
            self.packets_read += 1
            yield packet

    def close(self) -> None:
        self.closed_by.append(threading.current_thread().name)
        self._container.close()


def with_sound(
    codec: str,
    container: str = "mp4",
    seconds: float = 2.0,
    size: tuple[int, int] = (64, 48),
    rate: int = 25,
    samples_a_second: int = 48_000,
    sound_s: float | None = None,
) -> bytes:
    """A video of growing brightness with a tone of 440 Hz, which lasts as long or `sound_s`."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as out:
        film = out.add_stream("libx264", rate=rate, width=size[0], height=size[1], pix_fmt="yuv420p")
        tone = out.add_stream(codec, rate=samples_a_second, layout="stereo")
        assert isinstance(tone, av.AudioStream)
        fitted = av.AudioResampler(tone.codec_context.format, "stereo", samples_a_second, tone.codec_context.frame_size)
        for i in range(round(seconds * rate)):
            pixels = np.full((size[1], size[0], 3), min(255, 2 * i), np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = i, Fraction(1, rate)
            out.mux(film.encode(frame))
        out.mux(film.encode(None))
        count = round((seconds if sound_s is None else sound_s) * samples_a_second)
        wave = (np.sin(np.arange(count) * 440 * 2 * np.pi / samples_a_second) * 8000).astype(np.int16)
        for start in range(0, count, 1024):
            both = np.repeat(wave[start : start + 1024], 2)[None]
            heard = av.AudioFrame.from_ndarray(np.ascontiguousarray(both), format="s16", layout="stereo")
            heard.sample_rate, heard.pts, heard.time_base = samples_a_second, start, Fraction(1, samples_a_second)
            for piece in fitted.resample(heard):
                out.mux(tone.encode(piece))
        for piece in fitted.resample(None):
            out.mux(tone.encode(piece))
        out.mux(tone.encode(None))
    return buffer.getvalue()


def sound_of(data: bytes) -> tuple[str, list[tuple[float, bytes]]]:
    """The codec of a video's sound, and its packets with their times in seconds."""
    with av.open(io.BytesIO(data), "r") as container:
        (stream,) = container.streams.audio
        assert stream.time_base is not None
        packets = [
            (float(packet.pts * stream.time_base), bytes(packet))
            for packet in container.demux(stream)
            if packet.size and packet.pts is not None
        ]
        return stream.codec_context.codec.canonical_name, packets


def pictures_of(data: bytes) -> list[tuple[float, Any]]:
    """The frames of a video with their times in seconds, RGB; of one that is cut off, those that there are."""
    with av.open(io.BytesIO(data), "r") as container:
        frames: list[tuple[float, Any]] = []
        for packet in container.demux(video=0):
            with suppress(av.FFmpegError):  # half of a packet
                frames += [(frame.time or 0.0, frame.to_ndarray(format="rgb24")) for frame in packet.decode()]
        return frames
