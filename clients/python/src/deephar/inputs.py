"""What callers give: pictures and videos in the forms that they have them in."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from contextlib import suppress
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from deephar.errors import InvalidArgument
from deephar.frames import Flush, Frame
from deephar.in_thread import in_thread
from deephar.png import png_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deephar.capture import Capture

    Picture: TypeAlias = bytes | NDArray[np.uint8]
    PictureLike: TypeAlias = str | PathLike[str] | Picture
    VideoLike: TypeAlias = str | PathLike[str] | Capture | Iterable[Frame | Flush] | Iterable[Picture]
    AsyncVideoLike: TypeAlias = VideoLike | AsyncIterable[Frame | Flush] | AsyncIterable[Picture]


def encoded(picture: PictureLike) -> bytes:
    """Returns an encoded picture: a file's bytes, or an array as PNG.

    Raises:
        OSError: The file cannot be read.
        InvalidArgument: It is no picture in one of these forms.
    """
    if isinstance(picture, str | PathLike):
        return Path(picture).read_bytes()
    return picture if isinstance(picture, bytes) else png_of(picture)


def items_of(video: VideoLike, fps: float | None = None) -> Iterator[Frame | Flush]:
    """Returns the frames of a video in any form.

    Args:
        video: Path of a file, a `Capture`, or an iterable.
        fps: Of pictures without times.

    Raises:
        InvalidArgument: It is none of these.
    """
    if isinstance(video, str | PathLike):
        from deephar.video import frames_of

        return frames_of(video).open()
    if isinstance(video, bytes) or not isinstance(video, Iterable):
        raise InvalidArgument(
            "invalid_argument",
            f"a video is a path, a Capture, or an iterable of frames, not {type(video).__name__}",
        )
    return (_item(item, number, fps) for number, item in enumerate(video))


async def async_items_of(video: AsyncVideoLike, fps: float | None = None) -> AsyncGenerator[Frame | Flush, None]:
    """Yields the frames of a video in any form; of one that is not asynchronous they are read in a thread.

    Raises:
        InvalidArgument: It is no video in one of these forms.
        Exception: What the video raises.
    """
    if isinstance(video, AsyncIterable):
        number = 0
        async for item in video:
            yield _item(item, number, fps)
            number += 1
        return
    items = items_of(video, fps)
    try:
        while (next_item := await asyncio.wrap_future(in_thread(lambda: next(items, None)))) is not None:
            yield next_item
    finally:
        if (close := getattr(items, "close", None)) is not None:
            with suppress(ValueError):  # a thread still reads, for a caller who has left: it is the last item
                close()


def _item(item: Frame | Flush | Picture, number: int, fps: float | None) -> Frame | Flush:
    if isinstance(item, Frame | Flush):
        return item
    if fps is None:
        raise InvalidArgument("invalid_argument", "pictures without times need fps; or give deephar.Frame with time_s")
    return Frame(item, number / fps, number)
