"""Windows of sampled frames for the clip network."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.vision.crops import CropWindow

Array = NDArray[np.float32]

LEAST_SEEN = 3 / 4  # of a window's frames, with the person
LEAST_FILLED = 3 / 4  # of a window's ticks that a whole track must last
MOST_REPEATED, LEAST_FRAMES = 1 / 2, 1 / 2  # of a window's frames, of its ticks


class Reason(StrEnum):
    """Why a window has no action."""

    TOO_SHORT = "too_short"
    NOT_SEEN = "not_seen"
    REPEATED_FRAMES = "repeated_frames"
    TOO_SPARSE = "too_sparse"
    MODEL_CHANGED = "model_changed"


@dataclass(frozen=True)
class Sample:
    """A sampled frame of one person: input of the clip network."""

    frame_id: int
    time_s: float
    features: Array  # (F,)
    crop_window: CropWindow
    version: str = ""  # of the frame network


@dataclass(frozen=True)
class Window:
    """T consecutive samples of one person; ticks without one have the sample before."""

    samples: tuple[Sample, ...]
    reason: Reason | None = None  # why it cannot be classified

    @property
    def version(self) -> str:
        """Version of the frame network that the features are of."""
        return self.samples[0].version

    def features(self) -> Array:
        """Returns the action features (1, T, F)."""
        return np.stack([sample.features for sample in self.samples])[None]

    def crop_boxes(self) -> Array:
        """Returns x, y, width, height (1, T, 4) of each sample's crop window in pixels of the frame."""
        crop_windows = [sample.crop_window.as_box() for sample in self.samples]
        return np.array([[[box.x, box.y, box.width, box.height] for box in crop_windows]], np.float32)


class _Tick(NamedTuple):
    sample: Sample | None  # where the person was seen
    is_frame: bool  # False: no frame was sampled at this tick
    is_repeated: bool = False


class WindowBuffer:
    """Buffers a track's ticks; gives a window when `frames` of them are there, then another every `hop` ticks.

    It begins with the person's first sample.
    """

    def __init__(self, frames: int, hop: int) -> None:
        self._frames, self._hop = frames, hop
        self._ticks: deque[_Tick] = deque(maxlen=frames)
        self._until_next = frames
        self._has_gap = False  # longer than a window
        self.given = 0

    def add(self, sample: Sample | None, ticks: int, is_repeated: bool = False) -> list[Window]:
        """Returns the windows that are complete with this frame; none of those in which the person was not seen at all.

        Args:
            sample: Of the next sampled frame; None: the person was not seen in it.
            ticks: Ticks of the sampler since the last sampled frame. After a gap longer than a window a new one begins.
            is_repeated: Whether the frame is the one before once more.
        """
        if ticks > self._frames and self._ticks:
            self._ticks.clear()
            self._until_next, self._has_gap = self._frames, True
        if not self._ticks:
            if sample is None:
                return []
            ticks = 1
        new = [_Tick(None, False)] * (ticks - 1) + [_Tick(sample, True, is_repeated)]
        return [window for tick in new if (window := self._push(tick)) is not None]

    def last(self) -> Window | None:
        """Returns the window of a track that ended before its first one, evenly stretched; None where one was given."""
        ticks = list(self._ticks)
        if self.given or not ticks:
            return None
        samples = _filled(ticks)
        stretched = tuple(samples[i * len(samples) // self._frames] for i in range(self._frames))
        reason = _reason(ticks)
        if len(ticks) < math.ceil(LEAST_FILLED * self._frames):
            reason = Reason.TOO_SPARSE if self._has_gap else reason or Reason.TOO_SHORT
        return Window(stretched, reason)

    def _push(self, tick: _Tick) -> Window | None:
        self._ticks.append(tick)
        self._until_next -= 1
        if self._until_next > 0:
            return None
        self._until_next = self._hop
        self.given += 1
        ticks = list(self._ticks)
        samples = _filled(ticks)
        return Window(tuple(samples), _reason(ticks)) if samples else None


def _reason(ticks: list[_Tick]) -> Reason | None:
    frames = [tick for tick in ticks if tick.is_frame]
    if len(frames) < LEAST_FRAMES * len(ticks):
        return Reason.TOO_SPARSE
    if sum(tick.sample is not None for tick in frames) < LEAST_SEEN * len(frames):
        return Reason.NOT_SEEN
    if sum(tick.is_repeated for tick in frames) > MOST_REPEATED * len(frames):
        return Reason.REPEATED_FRAMES
    if len({tick.sample.version for tick in frames if tick.sample is not None}) > 1:
        return Reason.MODEL_CHANGED
    return None


def _filled(ticks: list[_Tick]) -> list[Sample]:
    """Returns a sample for each tick, the one before where it has none; at the beginning, the first one."""
    last = next((tick.sample for tick in ticks if tick.sample is not None), None)
    samples = []
    for tick in ticks:
        last = tick.sample or last
        if last is not None:
            samples.append(last)
    return samples
