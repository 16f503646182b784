"""Where `deephar live` reads its frames: a camera, a network address, a file or stdin."""

from __future__ import annotations

import itertools
import re
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from deephar.cli.exits import Failure
from deephar.cli.inputs import STDIN
from deephar.frames import NS, Frame
from deephar.jpeg import JpegEncoder

_AT_ONCE = {"probesize": "200000", "analyzeduration": "500000"}  # bytes, microseconds
_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)


class Source(NamedTuple):
    """A source of frames.

    Attributes:
        place: For `deephar.video`: a path, an address, or the number of a camera.
        name: For people.
        is_live: Frames that are not read in time are lost: it does not wait.
    """

    place: str
    name: str
    is_live: bool


def source_of(text: str) -> Source:
    """Returns the source that an argument names.

    Raises:
        Failure: There is no such file.
    """
    if text == STDIN:
        return Source(STDIN, "stdin", False)
    if text.isdigit():
        return Source(text, f"camera {text}", True)
    if _URL.match(text):
        return Source(text, text, True)
    try:
        mode = Path(text).stat().st_mode
    except OSError as error:
        raise Failure(f"{text}: {error.strerror}") from None
    return Source(text, text, stat.S_ISCHR(mode))  # a camera's device


def frames_of_source(source: Source) -> Iterator[Frame]:
    """Returns the frames of a source. The first is read at once: errors of it come before a service is asked.

    Raises:
        Failure: There are none.
        NotAVideo: It is not there, or no video.
        OSError: The file cannot be opened.
        NoVideoReader: PyAV is not installed.
    """
    frames = _frames_of(source)
    first = next(frames, None)
    if first is None:
        raise Failure(f"{source.name} has no frames")
    return itertools.chain([first], frames)


def _frames_of(source: Source) -> Iterator[Frame]:
    if source.place == STDIN:
        return _of_stdin()
    if source.is_live:
        from deephar.capture import Capture

        return iter(Capture(source.place))
    from deephar.video import frames_of

    return frames_of(source.place)


def _of_stdin() -> Iterator[Frame]:
    """Yields the frames of a video on stdin as soon as they are there."""
    if sys.stdin.isatty():
        raise Failure("- reads a video from stdin, which is a terminal: ffmpeg -i INPUT -f mpegts - | deephar live -")
    try:
        import av
    except ModuleNotFoundError as error:
        from deephar.video import NoVideoReader

        raise NoVideoReader.why() from error
    from deephar.film import Film, film_of

    try:
        with av.open("pipe:0", options=_AT_ONCE) as container:
            stream = film_of(container)
            if stream is None:
                raise Failure("stdin has no pictures in it that FFmpeg can decode")
            stream.thread_type = "SLICE"  # with a thread for each frame, some wait for those after them
            film, encoder = Film(container, stream), JpegEncoder()
            times = (read for read in film.frames() if read is not None)
            for number, (frame, time_ns) in enumerate(times):
                yield Frame(encoder.encode(film.picture(frame)), time_ns / NS, number)
    except av.FFmpegError as error:
        raise Failure(
            "stdin is no video that can be read from its beginning to its end; send MPEG-TS, Matroska or MJPEG "
            "(most MP4 files must be given by name)"
        ) from error
