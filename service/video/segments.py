"""Segments: spans of a video in which one action has the highest score."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Segment:
    """A span of media time with one action of one person; the score is the mean over its windows."""

    start_s: float
    end_s: float
    label: str
    score: float
    person_id: int


class SegmentMerger:
    """Merges consecutive windows with the same action. Each counts for the time since the end of the last one."""

    def __init__(self, person_id: int) -> None:
        self._person_id = person_id
        self._start_s = 0.0
        self._end_s: float | None = None
        self._label: str | None = None
        self._score_sum, self._windows = 0.0, 0

    def add(self, start_s: float, end_s: float, label: str | None, score: float) -> Segment | None:
        """Adds a window; returns the segment that it ends, if any. Where the background class wins, `label` is None."""
        done = None
        if self._end_s is None:
            self._start_s, self._label = start_s, label
        elif label != self._label or start_s > self._end_s:
            done = self.finish()
            self._start_s, self._label = max(start_s, self._end_s), label
        self._end_s = end_s
        self._score_sum, self._windows = self._score_sum + score, self._windows + 1
        return done

    def finish(self) -> Segment | None:
        """Returns the running segment, and ends it; None where the background class wins."""
        score_sum, windows = self._score_sum, self._windows
        self._score_sum, self._windows = 0.0, 0
        if self._end_s is None or self._label is None or not windows:
            return None
        return Segment(self._start_s, self._end_s, self._label, score_sum / windows, self._person_id)
