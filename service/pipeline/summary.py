"""The answer for a whole clip, summed up from its events."""

from __future__ import annotations

import time

import numpy as np

from service.networks.frame import Array
from service.pipeline.answers import ActionEvent, ClipAnswer, Event, PersonActions, PoseEvent, SegmentEvent
from service.pipeline.plan import VideoPlan
from service.pipeline.track_state import ranked
from service.video.segments import Segment


class ClipSummary:
    """Collects the events of a clip. A person's scores are the mean over their windows."""

    def __init__(self, plan: VideoPlan) -> None:
        self._plan = plan
        self._started = time.perf_counter()
        self._sums: dict[int, tuple[int, Array]] = {}  # by person: number of windows, sum of their scores (A,)
        self._detected: set[int] = set()  # ids of people with a pose
        self._segments: list[Segment] = []

    def add(self, event: Event) -> None:
        match event:
            case PoseEvent():
                self._detected.update(person.id for person in event.people if person.id is not None)
            case ActionEvent():
                windows, scores = self._sums.get(event.person_id, (0, np.zeros_like(event.scores)))
                self._sums[event.person_id] = (windows + 1, scores + event.scores)
            case SegmentEvent():
                self._segments.append(event.segment)

    def answer(self, frames: int) -> ClipAnswer:
        """Returns the answer for a clip of so many frames."""
        everyone = [
            PersonActions(person_id, ranked(np.asarray(scores / windows, np.float32), self._plan))
            for person_id, (windows, scores) in sorted(self._sums.items())
        ]
        main = max(everyone, key=lambda person: self._sums[person.person_id][0], default=None)
        people = [person for person in everyone if person.person_id in self._detected]
        timing = {"total": 1e3 * (time.perf_counter() - self._started)}
        return ClipAnswer(self._plan.model, main.actions if main else [], people, self._segments, frames, timing)
