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
    """One sampled frame as the clip network sees it."""

    frame_id: int
    time_s: float
    features: Array  # (F,)
    crop_window: CropWindow


@dataclass(frozen=True)
class Window:
    samples: tuple[Sample, ...]

    def features(self) -> Array:
        return np.stack([sample.features for sample in self.samples])[None]  # (1, T, F)

    def crop_boxes(self) -> Array:
        crop_windows = [sample.crop_window.as_box() for sample in self.samples]
        return np.array([[[box.x, box.y, box.width, box.height] for box in crop_windows]], np.float32)  # (1, T, 4)


class WindowBuffer:
    """Gives a window of `frames` samples as soon as they are there, then another each `hop` samples."""

    def __init__(self, frames: int, hop: int) -> None:
        self._frames, self._hop = frames, hop
        self._samples: deque[Sample] = deque(maxlen=frames)
        self._until_next = frames
        self.given = 0

    def add(self, sample: Sample, ticks: int) -> list[Window]:
        """The windows that are complete with this sample, which stands `ticks` after the one before.

        Ticks without a frame of their own repeat the frame before. After a gap longer than a window nothing is known of
        what happened, and a new window begins.
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
        """Of what ended before its first window, with `least` samples or more: these, evenly repeated to fill one."""
        if self.given or len(self._samples) < max(1, least):
            return None
        count = len(self._samples)
        return Window(tuple(self._samples[i * count // self._frames] for i in range(self._frames)))
