"""A video file with what a stream of it says drawn in, made here and not by the service.

The file is read twice. The first pass is sent, and its events hold no pixels. The second pass draws, a window of the
model behind the first: so it knows the samples around each frame, and the action of the window that ends after it.
"""

from __future__ import annotations

from collections.abc import Iterator
from os import PathLike, fspath
from typing import TYPE_CHECKING

from deephar.drawn import drawn_of
from deephar.events import ActionEvent, Event, PoseEvent, Started

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deephar.drawing import Drawn
    from deephar.results import ActionScore


def annotated(
    video: str | PathLike[str], events: Iterator[Event], with_ids: bool
) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Yields the pictures of a video with people and actions drawn in, and their times in seconds.

    Args:
        video: A file.
        events: Of its stream.
        with_ids: Whether captions begin with the person's id.
    """
    from deephar.drawing import draw_people

    known = _Known(events, with_ids)
    for picture, time_s in pictures_of(video):
        people = known.until(time_s)
        yield draw_people(picture, people, known.joints, known.edges), time_s


def pictures_of(video: str | PathLike[str]) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Yields the pictures of a video file, and their times in seconds."""
    import av

    from deephar.film import NS, Film, film_of

    with av.open(fspath(video)) as container:
        stream = film_of(container)
        if stream is None:
            return
        stream.thread_type = "AUTO"
        film = Film(container, stream)
        for read in film.frames():
            if read is not None:
                frame, time_ns = read
                yield film.picture(frame), time_ns / NS


def winner_of(event: ActionEvent) -> ActionScore | None:
    """Returns the best action of a window; None where what all scores lack to 1, none of the actions, is more."""
    if not event.actions or event.actions[0].score < 1 - sum(action.score for action in event.actions):
        return None
    return event.actions[0]


class _Known:
    """What the events have told so far."""

    def __init__(self, events: Iterator[Event], with_ids: bool) -> None:
        from deephar.timeline import Timeline

        self._events = events
        self._timeline = Timeline(with_ids)
        self._ahead_s = 0.0
        self._has_ended = False
        self.joints: tuple[str, ...] = ()
        self.edges: tuple[tuple[int, int], ...] = ()

    def until(self, time_s: float) -> list[Drawn]:
        """Returns the people at a time, once the events are far enough."""
        while not self._has_ended and (not self.joints or self._timeline.reaches_s <= time_s + self._ahead_s):
            event = next(self._events, None)
            if event is None:
                self._has_ended = True
            else:
                self._add(event)
        return self._timeline.at(time_s)

    def _add(self, event: Event) -> None:
        match event:
            case Started():
                self.joints, self.edges = event.layout.joints, event.layout.edges
                self._ahead_s = event.clip_frames * event.sample_interval_s
            case PoseEvent():
                people = {person.id: drawn_of(person) for person in event.people if person.id is not None}
                self._timeline.add_people(event.time_s, people)
            case ActionEvent():
                best = winner_of(event)
                label, score = (best.label, best.score) if best else (None, 0.0)
                self._timeline.add_action(event.person_id, event.start_s, event.end_s, label, score)
