"""The running segment of a person, merged from windows as the service does it."""

from __future__ import annotations

from deephar.events import ActionEvent, SegmentEvent

_MANY = 5  # actions with which what their scores lack to 1 is mostly that of the background class


class RunningSegment:
    """Merges consecutive windows with the same action. Each counts for the time since the end of the last one."""

    def __init__(self, person_id: int) -> None:
        self._person_id = person_id
        self._start_s = 0.0
        self._end_s: float | None = None
        self._label: str | None = None
        self._score_sum, self._windows = 0.0, 0

    def add(self, window: ActionEvent) -> SegmentEvent | None:
        """Adds a window; returns the segment that it ends, if any."""
        done, label = None, _leading(window)
        if self._end_s is None:
            self._start_s, self._label = window.start_s, label
        elif label != self._label or window.start_s > self._end_s:
            done = self.finish(window)
            self._start_s, self._label = max(window.start_s, self._end_s), label
        self._end_s = window.end_s
        self._score_sum += window.actions[0].score if window.actions else 0.0
        self._windows += 1
        return done

    def finish(self, at: ActionEvent | SegmentEvent) -> SegmentEvent | None:
        """Returns the running segment with the frame of an event, and ends it; None: no action leads."""
        score_sum, windows = self._score_sum, self._windows
        self._score_sum, self._windows = 0.0, 0
        if self._end_s is None or self._label is None or not windows:
            return None
        frame = (at.frame_id, at.time_s, at.lag_ms, at.dropped_frames)
        return SegmentEvent(*frame, self._start_s, self._end_s, self._label, score_sum / windows, self._person_id)


def _leading(window: ActionEvent) -> str | None:
    """Returns the label of a window; None: it has none, or the background class wins, as far as that is known."""
    if not window.actions:
        return None
    best = window.actions[0]
    background = 1 - sum(action.score for action in window.actions) if len(window.actions) >= _MANY else 0.0
    return best.label if best.score >= background else None
