"""Frames of video files, as `Client.classify` and `Client.stream` take them. Needs PyAV."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from os import PathLike
from typing import TYPE_CHECKING

from deephar.errors import MissingExtra
from deephar.frames import NS, Frame
from deephar.jpeg import BEST, JpegEncoder

if TYPE_CHECKING:
    from deephar.film import Film

__all__ = ["FileFrames", "Frame", "NoVideoReader", "NotAVideo", "frames_of"]


class NoVideoReader(MissingExtra):
    """PyAV, which reads video files, is not installed."""

    @classmethod
    def why(cls) -> NoVideoReader:
        return cls('videos need PyAV, which is not installed: pip install "deephar-client[video]"')


class NotAVideo(ValueError):
    """The file is not a video that FFmpeg can decode."""


def frames_of(path: str | PathLike[str], jpeg_quality: int = BEST) -> FileFrames:
    """Returns every frame of a video file as a JPEG, as a player shows it, with its time and its index as `frame_id`.

    Args:
        path: The video file.
        jpeg_quality: FFmpeg's scale, from 2 (best) to 31 (worst).

    Returns:
        An iterator over frames in order of time, which begins with the first one. With the first `next` it raises

        * `NotAVideo`: the file is not a video that FFmpeg can decode,
        * `OSError`: the file cannot be opened,
        * `NoVideoReader`: PyAV is not installed.
    """
    return FileFrames(path, jpeg_quality)


class FileFrames(Iterator[Frame]):
    """The frames of a file.

    Args:
        path: The video file.
        jpeg_quality: FFmpeg's scale, from 2 (best) to 31 (worst).
    """

    def __init__(self, path: str | PathLike[str], jpeg_quality: int) -> None:
        self._frames = self._read(str(path), jpeg_quality)
        self._film: Film | None = None
        self._first: Frame | None = None  # read already

    def open(self) -> FileFrames:
        """Reads the first frame, so that errors of the file are raised here, and returns itself."""
        self._first = next(self._frames, None)
        return self

    def __next__(self) -> Frame:
        first, self._first = self._first, None
        return first or next(self._frames)

    def close(self) -> None:
        """Closes the file; no more frames come."""
        self._frames.close()

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames; (0, 0) before the first one."""
        return self._film.size if self._film else (0, 0)

    @property
    def lost(self) -> int:
        """Damaged frames so far, which are left out."""
        return self._film.lost if self._film else 0

    def _read(self, path: str, jpeg_quality: int) -> Generator[Frame, None, None]:
        try:
            import av

            from deephar.film import Film, film_of, pictures_of
        except ModuleNotFoundError as error:
            raise NoVideoReader.why() from error
        try:
            with av.open(path) as container:
                if container.format.name == "image2" or container.format.name.endswith("_pipe"):
                    raise NotAVideo(f"{path} is a picture; ask for its pose: deephar pose {path}")
                if not pictures_of(container):
                    raise NotAVideo(f"{path} has no pictures in it (sound only?)")
                stream = film_of(container)
                if stream is None:
                    raise NotAVideo(f"FFmpeg has no decoder for the pictures in {path}")
                stream.thread_type = "AUTO"
                self._film = Film(container, stream)
                yield from _encoded(self._film, jpeg_quality)
        except OSError:
            raise
        except av.FFmpegError as error:
            raise NotAVideo(f"{path} is damaged or no video that FFmpeg can decode") from error


def _encoded(film: Film, jpeg_quality: int) -> Iterator[Frame]:
    encoder, count = JpegEncoder(jpeg_quality), 0
    for read in film.frames():
        if read is not None:
            frame, time_ns = read
            yield Frame(encoder.encode(film.picture(frame)), time_ns / NS, count)
            count += 1
