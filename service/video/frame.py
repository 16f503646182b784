"""A frame of a video, what else a stream may hold, and the interface of what yields them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, TypeAlias

from service.errors import DeepharError
from service.video.sampling import Sampler
from service.vision.boxes import Box
from service.vision.crops import Image


class TrackedBox(NamedTuple):
    """A person in a frame whom the caller has tracked: their id and box in pixels."""

    id: int
    box: Box


@dataclass(frozen=True)
class Frame:
    """A picture, encoded or already decoded, and its time in the video."""

    picture: bytes | Image
    frame_id: int
    time_ns: int  # media time, by presentation time stamps
    received_s: float = field(default_factory=time.monotonic)  # when the service got it
    boxes: tuple[TrackedBox, ...] = ()  # of the caller's own tracking

    @property
    def time_s(self) -> float:
        return self.time_ns / 1e9

    @property
    def size_bytes(self) -> int:
        return len(self.picture) if isinstance(self.picture, bytes) else self.picture.nbytes


@dataclass(frozen=True)
class BadFrame:
    """A frame that cannot be used, and why."""

    error: DeepharError
    frame_id: int
    time_ns: int
    received_s: float = field(default_factory=time.monotonic)
    ticks: int = 0  # of the sampler, which knew nothing of it

    @staticmethod
    def of(frame: Frame, error: DeepharError, ticks: int = 0) -> BadFrame:
        return BadFrame(error, frame.frame_id, frame.time_ns, frame.received_s, ticks)


class Flush(NamedTuple):
    """All that was received before it is to be answered for good."""


Received: TypeAlias = Frame | BadFrame | Flush


class FrameSource(Protocol):
    """Source of the frames of one video: an upload or a stream."""

    @property
    def dropped(self) -> int:
        """Number of frames dropped so far in favour of newer ones."""

    def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Received, int], None]:
        """Yields the frames in order, each with the sampler's ticks, and what else was received.

        A source may leave out frames of 0 ticks, which are not sampled.
        """
