"""Windows of sampled frames for the clip network, and stretches of video in which one action leads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.geometry import Square

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Sample:
    """One sampled frame as the clip network sees it."""

    frame_id: int
    time_s: float
    features: Array  # (F,)
    square: Square


@dataclass(frozen=True)
class Window:
    samples: tuple[Sample, ...]

    def features(self) -> Array:
        return np.stack([sample.features for sample in self.samples])[None]  # (1, T, F)

    def crop_boxes(self) -> Array:
        squares = [sample.square.as_box() for sample in self.samples]
        return np.array([[[box.x, box.y, box.width, box.height] for box in squares]], np.float32)  # (1, T, 4)


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

    def stretched(self) -> Window | None:
        """For a clip that ended before its first window: its samples repeated evenly to a whole one."""
        if self.given or not self._samples:
            return None
        count = len(self._samples)
        return Window(tuple(self._samples[i * count // self._frames] for i in range(self._frames)))


@dataclass(frozen=True)
class Segment:
    start_s: float
    end_s: float
    label: str
    score: float


class SegmentMerger:
    """Joins neighbouring windows that agree. Each window answers for the time since the end of the one before."""

    def __init__(self) -> None:
        self._start_s = 0.0
        self._end_s: float | None = None
        self._label = ""
        self._scores: list[float] = []

    def add(self, start_s: float, end_s: float, label: str, score: float) -> Segment | None:
        """The segment that this window ends, if it does."""
        done = None
        if self._end_s is None:
            self._start_s, self._label = start_s, label
        elif label != self._label or start_s > self._end_s:
            done = self.finish()
            self._start_s = max(start_s, done.end_s) if done else start_s
            self._label = label
        self._end_s = end_s
        self._scores.append(score)
        return done

    def finish(self) -> Segment | None:
        if self._end_s is None or not self._scores:
            return None
        segment = Segment(self._start_s, self._end_s, self._label, float(np.mean(self._scores)))
        self._scores = []
        return segment
