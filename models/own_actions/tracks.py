"""A person's joints at the clip network's interval, as the service's streams have them, and windows of them.

The service feeds its clip network the joints of sampled frames, before any smoothing, with the crop in which they were
found. That network puts them back into the picture first, so the joints in pixels say the same. Windows are cut as the
service cuts them (`service/video/windows.py`), so that the training sees what is asked later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from models.lite.clip.data import Bools, Floats, Ints, person_crop, to_features
from models.lite.layout import INTERVAL_S, NUM_FRAMES

HOP = NUM_FRAMES // 4  # ticks from one window to the next, as the service has it where a request does not say
SHORTEST = math.ceil(NUM_FRAMES * 3 / 4)  # ticks of a window that is stretched
LEAST_SEEN = 3 / 4  # of a window's frames, with the person
LEAST_FRAMES = 1 / 2  # of a window's ticks
MARGIN = 1.25  # of the crop around the joints, which stands for the service's
_ROUNDING_S = 0.0015  # Matroska and WebM round all times to milliseconds


@dataclass(frozen=True)
class Track:
    """N sampled frames of a video, and the joints of its main person.

    Attributes:
        time_s: (N,) seconds after the video's first frame.
        person: (N,) id of the main person; 0 where nobody was seen.
        joints: (N, 13, 2) pixels, those of the body (`models/lite/layout.py`).
        scores: (N, 13).
    """

    time_s: Floats
    person: Ints
    joints: Floats
    scores: Floats

    def between(self, start_s: float, end_s: float) -> Track:
        """Returns the frames from one time to another."""
        return self.only((self.time_s >= start_s - _ROUNDING_S) & (self.time_s <= end_s + _ROUNDING_S))

    def only(self, chosen: Bools) -> Track:
        return Track(self.time_s[chosen], self.person[chosen], self.joints[chosen], self.scores[chosen])

    def windows(self, hop: int = HOP) -> Ints:
        """Returns indices (W, 16) of frames: the windows that the service would classify, `hop` ticks apart.

        They are of the person with the most of them, who is the one that a whole clip is named by.
        """
        every = [self._windows_of(person, hop) for person in np.unique(self.person[self.person > 0])]
        return max(every, key=len, default=np.zeros((0, NUM_FRAMES), np.int64))

    def features(self, windows: Ints) -> tuple[Floats, Floats]:
        """Returns action features (W, 16, 48) and crop boxes (W, 16, 4) of windows (W, 16)."""
        joints = self.joints[windows]
        return to_features(joints, self.scores[windows], *person_crop(joints, MARGIN))

    def _windows_of(self, person: int, hop: int) -> Ints:
        seen = self.person == person
        first, last = np.flatnonzero(seen)[[0, -1]]
        # A track ends with the video, or when another person takes its place.
        others = np.flatnonzero((self.person > 0) & ~seen)
        end = min(others[others > last], default=len(seen))
        ticks = np.floor((self.time_s + _ROUNDING_S) / INTERVAL_S).astype(np.int64)[first:end]
        index, breaks = np.arange(first, end), np.flatnonzero(np.diff(ticks) > NUM_FRAMES) + 1
        found = [
            window
            for part in np.split(np.arange(len(ticks)), breaks)
            for window in _in_one_piece(ticks[part] - ticks[part[0]], index[part], seen[index[part]], hop)
        ]
        return np.array(found, np.int64).reshape(-1, NUM_FRAMES)


def _in_one_piece(ticks: Ints, index: Ints, seen: Bools, hop: int) -> Iterator[Ints]:
    """Yields the windows of frames without a long gap.

    Args:
        ticks: (N,) of the frames, rising from 0.
        index: (N,) theirs.
        seen: (N,) whether the person is in them.
        hop: Ticks between windows.
    """
    if not seen.any():
        return
    begin = int(np.argmax(seen))  # it begins with the first frame that has the person
    ticks, index, seen = ticks[begin:] - ticks[begin], index[begin:], seen[begin:]
    frames = np.full(int(ticks[-1]) + 1, -1)  # at each tick the index of its frame
    shown = np.zeros(len(frames), bool)
    frames[ticks], shown[ticks] = index, seen
    if len(frames) < NUM_FRAMES:
        if len(frames) >= SHORTEST and (filled := _filled(frames, shown)) is not None:
            yield filled[np.arange(NUM_FRAMES) * len(frames) // NUM_FRAMES]
        return
    for start in range(0, len(frames) - NUM_FRAMES + 1, hop):
        window = slice(start, start + NUM_FRAMES)
        if (filled := _filled(frames[window], shown[window])) is not None:
            yield filled


def _filled(frames: Ints, shown: Bools) -> Ints | None:
    """Returns a frame with the person for each tick; None where the service would not classify the window."""
    sampled = frames >= 0
    if sampled.sum() < LEAST_FRAMES * len(frames) or shown.sum() < max(1, LEAST_SEEN * sampled.sum()):
        return None
    place = np.maximum.accumulate(np.where(shown, np.arange(len(frames)), -1))
    held: Ints = frames[np.where(place < 0, np.argmax(shown), place)]
    return held
