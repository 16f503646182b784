"""A frame of a video on its way from a caller to the networks."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Protocol

from service.video.sampling import Sampler
from service.vision.crops import Image


@dataclass(frozen=True)
class Frame:
    """Encoded bytes, or pixels that are decoded already, with their place in the video."""

    picture: bytes | Image
    frame_id: int
    time_s: float  # presentation time
    received_s: float = field(default_factory=time.monotonic)

    @property
    def size_bytes(self) -> int:
        return len(self.picture) if isinstance(self.picture, bytes) else self.picture.nbytes


class FrameSource(Protocol):
    """Where the frames of one video come from."""

    @property
    def dropped(self) -> int:
        """Frames that were thrown away so far because newer ones came."""

    def frames(self, sampler: Sampler) -> AsyncGenerator[tuple[Frame, int], None]:
        """The frames, each with the sampler's ticks. A source may leave out frames of 0 ticks: they are no samples."""
