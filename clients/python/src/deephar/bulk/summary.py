"""The answer for a whole video, summed up from the events of its stream: what `classify` would say of it."""

from __future__ import annotations

import time
from collections import Counter, defaultdict

from deephar.events import ActionEvent, Event, SegmentEvent, Started
from deephar.results import ActionsAnswer, ActionScore, PersonActions, Segment, VideoFacts

TOP_K = 5  # actions that the service names, unless more or fewer are asked for
_NOT_SEEN = "not_seen"


class Summary:
    """Collects the events of a stream whose action events name all actions.

    As the service does, it takes the mean over a person's windows with an action, and the main person is the one with
    the most of them.

    Args:
        top_k: How many actions the answer names; 0: `TOP_K`.
    """

    def __init__(self, top_k: int) -> None:
        self._top_k = top_k or TOP_K
        self._began_s = time.perf_counter()
        self._started: Started | None = None
        self._windows: Counter[int] = Counter()  # with an action, of each person
        self._sums: defaultdict[int, dict[str, float]] = defaultdict(dict)  # of their scores, by label
        self._reasons: defaultdict[int, Counter[str]] = defaultdict(Counter)  # of windows without an action
        self._segments: list[Segment] = []

    def add(self, event: Event) -> None:
        """Takes the next event."""
        match event:
            case Started():
                self._started = event
            case ActionEvent(reason=None):
                self._windows[event.person_id] += 1
                sums = self._sums[event.person_id]
                for action in event.actions:
                    sums[action.label] = sums.get(action.label, 0.0) + action.score
            case ActionEvent(reason=str() as reason):
                self._reasons[event.person_id][reason] += 1
            case SegmentEvent():
                self._segments.append(event.segment)

    def answer(self, video: VideoFacts) -> ActionsAnswer:
        """Returns the answer, once the stream has ended.

        Args:
            video: Its properties.
        """
        started = self._started
        assert started is not None, "a stream begins with it"
        people = [self._person(person_id) for person_id in self._sums.keys() | self._reasons.keys()]
        main = max(people, key=self._rank, default=PersonActions(0, (), _NOT_SEEN))
        return ActionsAnswer(
            started.model,
            started.version,
            started.effort,
            started.effort_reason,
            video,
            main.actions,
            main.reason,
            tuple(sorted((p for p in people if p.reason != _NOT_SEEN), key=lambda person: person.person_id)),
            tuple(self._segments),
            {"total": 1e3 * (time.perf_counter() - self._began_s)},
        )

    def _person(self, person_id: int) -> PersonActions:
        windows = self._windows[person_id]
        if not windows:
            return PersonActions(person_id, (), self._reasons[person_id].most_common(1)[0][0])
        best = sorted(self._sums[person_id].items(), key=lambda item: -item[1])[: self._top_k]
        return PersonActions(person_id, tuple(ActionScore(label, score / windows) for label, score in best))

    def _rank(self, person: PersonActions) -> tuple[int, int]:
        """Returns how many windows a person has: those with an action count first."""
        return self._windows[person.person_id], self._reasons[person.person_id].total()
