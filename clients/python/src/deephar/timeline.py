"""Who is drawn at a moment of a video, with which caption: from events at samples to any frame between them."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from deephar.drawing import Drawn

_HELD_S = 0.25  # how long after the newest sample its people are shown
_FARTHEST = 0.5  # a person's way between two samples, in their own size: who went further was cut to
_KEPT_S = 10.0  # how long the action of somebody who is not seen is kept


class _Sample(NamedTuple):
    time_s: float
    people: Mapping[int, Drawn]


@dataclass(frozen=True)
class _Action:
    """What a person does from a time on, until the next one begins."""

    from_s: float
    text: str  # empty: none of the model's actions


class Timeline:
    """The people and the actions of a video, as they become known. It forgets what is before the last question.

    Args:
        with_ids: Whether captions begin with the person's id.
    """

    def __init__(self, with_ids: bool) -> None:
        self._with_ids = with_ids
        self._samples: deque[_Sample] = deque()
        self._actions: dict[int, deque[_Action]] = {}
        self._ends_s: dict[int, float] = {}  # of the newest window of each person

    @property
    def reaches_s(self) -> float:
        """The time of the newest sample; -1 before the first."""
        return self._samples[-1].time_s if self._samples else -1.0

    def add_people(self, time_s: float, people: Mapping[int, Drawn]) -> None:
        """Adds the people at a sample, by id; their labels do not matter. Times rise."""
        self._samples.append(_Sample(time_s, people))

    def add_action(self, person_id: int, start_s: float, end_s: float, label: str | None, score: float = 0.0) -> None:
        """Adds the best action of a window. It counts from the end of the window before, as in segments.

        Args:
            person_id: Whose action it is.
            start_s: Of the window.
            end_s: Of the window; they rise for each person.
            label: None: no action of the model is the best.
            score: Of the action.
        """
        text = "" if label is None else f"{label} {score:.2f}"
        from_s = max(start_s, self._ends_s.get(person_id, start_s))
        self._ends_s[person_id] = end_s
        self._actions.setdefault(person_id, deque()).append(_Action(from_s, text))

    def at(self, time_s: float) -> list[Drawn]:
        """Returns the people at a time, which is not before that of the last question.

        Between two samples, joints go straight from one place to the other. Who is in one of them only is shown for
        the half of the time that is nearer to it.
        """
        while len(self._samples) > 1 and self._samples[1].time_s <= time_s:
            self._samples.popleft()
        self._forget_actions(time_s)
        return [
            replace(person, label=self._label(person_id, time_s))
            for person_id, person in sorted(self._between(time_s).items())
        ]

    def _between(self, time_s: float) -> Mapping[int, Drawn]:
        if not self._samples or time_s < self._samples[0].time_s:
            return {}
        before = self._samples[0]
        if len(self._samples) == 1:
            return before.people if time_s - before.time_s <= _HELD_S else {}
        after = self._samples[1]
        share = (time_s - before.time_s) / (after.time_s - before.time_s)
        near = before.people if share < 0.5 else after.people
        return {
            person_id: _moved(before.people[person_id], after.people[person_id], share)
            if person_id in before.people and person_id in after.people
            else person
            for person_id, person in near.items()
        }

    def _forget_actions(self, time_s: float) -> None:
        for actions in self._actions.values():
            while len(actions) > 1 and actions[1].from_s <= time_s:
                actions.popleft()
        for person_id in [person_id for person_id, end_s in self._ends_s.items() if end_s < time_s - _KEPT_S]:
            if not any(person_id in sample.people for sample in self._samples):
                del self._ends_s[person_id], self._actions[person_id]

    def _label(self, person_id: int, time_s: float) -> str:
        actions = self._actions.get(person_id)
        text = actions[0].text if actions and actions[0].from_s <= time_s else ""
        return f"{person_id} {text}".strip() if self._with_ids else text


def _moved(before: Drawn, after: Drawn, share: float) -> Drawn:
    """Returns a person on the way from one sample to the next; at the nearer one where they are too far apart."""
    near = before if share < 0.5 else after
    (x, y, width, height), (to_x, to_y, to_width, to_height) = before.box, after.box
    way = max(abs(to_x - x + (to_width - width) / 2), abs(to_y - y + (to_height - height) / 2))
    if way > _FARTHEST * max(width, height, to_width, to_height):
        return near
    return replace(
        near,
        points_px=before.points_px + share * (after.points_px - before.points_px),
        scores=before.scores + share * (after.scores - before.scores),
        box=(
            x + share * (to_x - x),
            y + share * (to_y - y),
            width + share * (to_width - width),
            height + share * (to_height - height),
        ),
    )
