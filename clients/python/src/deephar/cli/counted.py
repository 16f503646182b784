"""The frames of a video file, with a bar on stderr that counts them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from deephar.cli.output import bar
from deephar.frames import Frame

if TYPE_CHECKING:
    from deephar.video import FileFrames


class CountedFrames(Iterator[Frame]):
    """The frames of a file. The first is read at once: errors of the file come before a service is asked.

    Args:
        video: A file.

    Raises:
        NotAVideo: FFmpeg cannot decode it.
        OSError: It cannot be opened.
        NoVideoReader: PyAV is not installed.
    """

    def __init__(self, video: Path) -> None:
        from deephar.video import frames_of

        self._frames: FileFrames = frames_of(video)
        self._first: Frame | None = next(self._frames)
        self._bar = bar(_number_of_frames(video), "frames", video.name)

    def __enter__(self) -> CountedFrames:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()

    def __next__(self) -> Frame:
        frame, self._first = self._first or next(self._frames), None
        self._bar.update()
        return frame

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the frames."""
        return self._frames.size

    @property
    def lost(self) -> int:
        """Damaged frames so far, which are left out."""
        return self._frames.lost


def _number_of_frames(video: Path) -> int | None:
    """Returns how many frames a file says that it has, or has by its length; None: it says neither."""
    import av

    from deephar.film import film_of

    with closing(av.open(str(video))) as container:
        film = film_of(container)
        if film is None or film.frames:
            return film.frames if film else None
        rate = film.average_rate
        return round(container.duration / av.time_base * rate) if container.duration and rate else None
