"""Windows of sampled frames for the clip network."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.vision.crops import CropWindow

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """A sampled frame of one person: input of the clip network."""

    frame_id: int
    time_s: float
    features: Array  # (F,)
    crop_window: CropWindow


@dataclass(frozen=True)
class Window:
    """T consecutive samples of one person."""

    samples: tuple[Sample, ...]

    def features(self) -> Array:
        """Returns the action features (1, T, F)."""
        return np.stack([sample.features for sample in self.samples])[None]

    def crop_boxes(self) -> Array:
        """Returns x, y, width, height (1, T, 4) of each sample's crop window in pixels of the frame."""
        crop_windows = [sample.crop_window.as_box() for sample in self.samples]
        return np.array([[[box.x, box.y, box.width, box.height] for box in crop_windows]], np.float32)


class WindowBuffer:
    """Buffers samples; gives a window when `frames` of them are there, then another every `hop` samples."""

    def __init__(self, frames: int, hop: int) -> None:
        self._frames, self._hop = frames, hop
        self._samples: deque[Sample] = deque(maxlen=frames)
        self._until_next = frames
        self.given = 0

    def add(self, sample: Sample, ticks: int) -> list[Window]:
        """Returns the windows that are complete with this sample.

        Args:
            sample: The next sample.
            ticks: Ticks of the sampler since the last one. Ticks without a frame repeat the last sample; after a gap
                longer than a window a new window begins.
        """
        if ticks > self._frames:
            self._samples.clear()
            self._until_next = self._frames
        elif self._samples:
            before = self._samples[-1]
            return [w for s in [before] * (ticks - 1) + [sample] for w in self._push(s)]
        return self._push(sample)

    def _push(self, sample: Sample) -> list[Window]:
        self._samples.append(sample)
        self._until_next -= 1
        if self._until_next > 0:
            return []
        self._until_next = self._hop
        self.given += 1
        return [Window(tuple(self._samples))]

    def stretched(self, least: int = 1) -> Window | None:
        """Returns the samples of an unfilled first window, evenly repeated to fill it; None if fewer than `least`."""
        if self.given or len(self._samples) < max(1, least):
            return None
        count = len(self._samples)
        return Window(tuple(self._samples[i * count // self._frames] for i in range(self._frames)))
