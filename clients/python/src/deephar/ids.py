"""Ids of people that stay the same over several connections."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from deephar.events import ActionEvent, Flushed, FrameErrorEvent, PoseEvent, SegmentEvent
from deephar.results import Box, Person

SAME_PERSON = 0.5  # IoU of two boxes of the same frame from which they are of the same person
_KEPT = 256  # frames whose people are remembered; more than a window has

Framed: TypeAlias = PoseEvent | ActionEvent | SegmentEvent | FrameErrorEvent | Flushed


class PersonIds:
    """Gives the people of a connection the ids that they had over the one before."""

    def __init__(self) -> None:
        self._names: dict[int, int] = {}  # the caller's id, by that over the present connection
        self._boxes: dict[int, dict[int, Box]] = {}  # by position of the frame and the caller's id
        self._newest = 0
        self._is_first = True

    def begin_anew(self) -> None:
        """Forgets the ids of the connection, which was lost."""
        self._names.clear()
        self._is_first = False

    def renamed(self, event: Framed, position: int, answered: int) -> Framed:
        """Returns an event with the caller's ids.

        Args:
            event: With those of the present connection.
            position: Of its frame.
            answered: Position of the newest frame whose events the caller has.
        """
        if isinstance(event, PoseEvent):
            return self._pose(event, position, answered)
        if isinstance(event, ActionEvent):
            return replace(event, person_id=self._name(event.person_id))
        if isinstance(event, SegmentEvent):
            return replace(event, person_id=self._name(event.person_id))
        return event

    def _pose(self, event: PoseEvent, position: int, answered: int) -> PoseEvent:
        if not self._is_first and position <= answered:
            self._recognize(event.people, self._boxes.get(position, {}))
            return event  # the caller has this one
        people = tuple(replace(person, id=self._name(person.id or 0)) for person in event.people)
        self._boxes[position] = {person.id or 0: person.box for person in people}
        while len(self._boxes) > _KEPT:
            del self._boxes[next(iter(self._boxes))]
        return replace(event, people=people)

    def _recognize(self, people: tuple[Person, ...], known: dict[int, Box]) -> None:
        taken = set(self._names.values())
        pairs = sorted(
            (
                (_iou(person.box, box), person.id or 0, name)
                for person in people
                for name, box in known.items()
                if person.id not in self._names and name not in taken
            ),
            reverse=True,
        )
        for iou, person_id, name in pairs:
            if iou >= SAME_PERSON and person_id not in self._names and name not in self._names.values():
                self._names[person_id] = name

    def _name(self, person_id: int) -> int:
        name = self._names.get(person_id)
        if name is None:
            name = person_id if self._is_first else self._newest + 1
            self._names[person_id] = name
            self._newest = max(self._newest, name)
        return name


def _iou(a: Box, b: Box) -> float:
    width = min(a.x + a.width, b.x + b.width) - max(a.x, b.x)
    height = min(a.y + a.height, b.y + b.height) - max(a.y, b.y)
    if width <= 0 or height <= 0:
        return 0.0
    both = width * height
    return both / (a.width * a.height + b.width * b.height - both)
