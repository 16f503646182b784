"""A clip that was sent as its frames: pictures, each with its time."""

from __future__ import annotations

import itertools
from collections.abc import AsyncGenerator, Sequence
from typing import BinaryIO

from service.errors import InvalidArgument
from service.video.frame import Frame
from service.video.reader import VideoFacts
from service.video.sampling import Sampler


def times_of(frames: int, fps: float | None, timestamps_ms: list[float] | None) -> list[int]:
    """Returns the time of each frame in nanoseconds since the first.

    Raises:
        InvalidArgument: There is neither a rate nor a time for each frame, or there are both.
    """
    if (fps is None) == (timestamps_ms is None):
        raise InvalidArgument("frames need fps, or timestamps_ms with a time for each; send one of them")
    if fps is not None:
        return [round(1e9 * i / fps) for i in range(frames)]
    assert timestamps_ms is not None
    if len(timestamps_ms) != frames:
        raise InvalidArgument(f"timestamps_ms has {len(timestamps_ms)} times for {frames} frames; send one for each")
    if any(later <= earlier for earlier, later in itertools.pairwise(timestamps_ms)):
        raise InvalidArgument("timestamps_ms must rise from frame to frame; send the times in order")
    return [round(1e6 * (time_ms - timestamps_ms[0])) for time_ms in timestamps_ms]


class PictureClip:
    """A `FrameSource` of encoded pictures.

    Args:
        pictures: Files, in order.
        times_ns: The time of each, rising.
    """

    dropped = 0

    def __init__(self, pictures: Sequence[BinaryIO], times_ns: list[int]) -> None:
        self._pictures, self._times_ns = pictures, times_ns

    async def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yields all frames. Several may be on their way through the clip."""
        for i, (picture, time_ns) in enumerate(zip(self._pictures, self._times_ns, strict=True)):
            picture.seek(0)
            yield Frame(picture.read(), i, time_ns), sampler.ticks(time_ns)

    def facts(self, size: tuple[int, int]) -> VideoFacts:
        """Returns the clip's properties, with the width and height of its first frame."""
        return VideoFacts.of(size, len(self._times_ns), 0, self._times_ns[-1])
