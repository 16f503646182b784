"""A frame of a video, and the interface of what yields frames."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from service.video.sampling import Sampler
from service.vision.crops import Image


@dataclass(frozen=True)
class Frame:
    """A picture, encoded or already decoded, and its time in the video."""

    picture: bytes | Image
    frame_id: int
    time_ns: int  # media time, by presentation time stamps
    received_s: float = field(default_factory=time.monotonic)  # when the service got it

    @property
    def time_s(self) -> float:
        return self.time_ns / 1e9

    @property
    def size_bytes(self) -> int:
        return len(self.picture) if isinstance(self.picture, bytes) else self.picture.nbytes


class FrameSource(Protocol):
    """Source of the frames of one video: an upload or a stream."""

    @property
    def dropped(self) -> int:
        """Number of frames dropped so far in favour of newer ones."""

    @property
    def live(self) -> bool:
        """Whether the newest frame counts: none is fetched before its turn."""

    def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """Yields the frames in order of time, each with the sampler's ticks.

        A source may leave out frames of 0 ticks, which are not sampled.
        """
