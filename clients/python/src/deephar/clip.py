"""A finite clip on its way to the service: its frames are counted, so that the answer can say what the video is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from deephar.frames import Flush, Frame
from deephar.results import VideoFacts


class Clip:
    """The frames of a video, counted as they are read.

    Args:
        frames: With rising times.
    """

    def __init__(self, frames: Iterable[Frame | Flush]) -> None:
        self._frames = frames
        self._count, self._first_ns, self._last_ns = 0, 0, 0
        self._size = (0, 0)

    def __iter__(self) -> Iterator[Frame | Flush]:
        for frame in self._frames:
            if isinstance(frame, Frame):
                self.count(frame)
            yield frame

    def count(self, frame: Frame) -> None:
        if not self._count:
            self._first_ns = frame.time_ns
            self._size = size_of(frame)
        self._count, self._last_ns = self._count + 1, frame.time_ns

    def facts(self) -> VideoFacts:
        """Returns the properties of the frames so far, as the service says them of an uploaded video."""
        last_s = (self._last_ns - self._first_ns) / 1e9
        fps = (self._count - 1) / last_s if last_s else 0.0
        duration_s = last_s + 1 / fps if fps else 0.0
        width, height = getattr(self._frames, "size", self._size)  # a file's are known
        lost = getattr(self._frames, "lost", 0)
        return VideoFacts(width, height, self._count, lost, round(fps, 3), round(duration_s, 3))


def opened(video: Path | Iterable[Frame | Flush]) -> Iterable[Frame | Flush]:
    """Returns the frames of a video file, or those that are given."""
    if isinstance(video, Path):
        from deephar.video import frames_of

        return frames_of(video)
    return video


def size_of(frame: Frame) -> tuple[int, int]:
    """Returns the width and height of pixels; (0, 0) of an encoded picture, which would have to be decoded."""
    shape = getattr(frame.picture, "shape", None)
    return (0, 0) if shape is None else (int(shape[1]), int(shape[0]))
