"""The answer for a whole clip, summed up from its events."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from service.networks.frame import Array
from service.pipeline.answers import ActionEvent, ClipAnswer, Event, PersonActions, SegmentEvent
from service.pipeline.plan import VideoPlan
from service.pipeline.track_state import ranked
from service.video.segments import Segment
from service.video.windows import Reason


class ClipSummary:
    """Collects the events of a clip. A person's scores are the mean over their windows with an action."""

    def __init__(self, plan: VideoPlan) -> None:
        self._plan = plan
        self._started = time.perf_counter()
        self._sums: dict[int, tuple[int, Array]] = {}  # by person: number of windows, sum of their scores (A,)
        self._reasons: dict[int, Counter[Reason]] = {}  # by person: of their windows without an action
        self._segments: list[Segment] = []

    def add(self, event: Event) -> None:
        match event:
            case ActionEvent(scores=np.ndarray() as scores):
                windows, before = self._sums.get(event.person_id, (0, np.zeros_like(scores)))
                self._sums[event.person_id] = (windows + 1, before + scores)
            case ActionEvent(reason=Reason() as reason):
                self._reasons.setdefault(event.person_id, Counter())[reason] += 1
            case SegmentEvent():
                self._segments.append(event.segment)

    def answer(self, frames: int) -> ClipAnswer:
        """Returns the answer for a clip of so many frames."""
        people = [
            PersonActions(person_id, ranked(np.asarray(scores / windows, np.float32), self._plan))
            for person_id, (windows, scores) in self._sums.items()
        ]
        people += [
            PersonActions(person_id, [], reasons.most_common(1)[0][0])
            for person_id, reasons in self._reasons.items()
            if person_id not in self._sums
        ]
        main = max(people, key=self._windows, default=PersonActions(0, [], Reason.NOT_SEEN))
        timing = {"total": 1e3 * (time.perf_counter() - self._started)}
        return ClipAnswer(
            self._plan.choice,
            main.actions,
            sorted((p for p in people if p.reason is not Reason.NOT_SEEN), key=lambda person: person.person_id),
            self._segments,
            frames,
            main.reason,
            timing,
        )

    def _windows(self, person: PersonActions) -> tuple[int, int]:
        """Returns how many windows a person has: those with an action count first."""
        with_action, _ = self._sums.get(person.person_id, (0, None))
        return with_action, self._reasons.get(person.person_id, Counter()).total()
