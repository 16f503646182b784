"""One stream out of several connections: events come once, people keep their ids, segments their beginning.

After a reconnection the frames of the last window are sent again. What is answered for them a second time is left out,
and the people in them are recognized by their boxes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TypeAlias

from deephar.events import ActionEvent, Event, Flushed, PoseEvent, SegmentEvent, Started
from deephar.ids import Framed, PersonIds
from deephar.running_segments import RunningSegment

_WINDOW_S = 1.6  # where the service does not say
_WINDOWS = 2  # of media time, that are kept at most: a window begins at the latest one before the last has ended

Key: TypeAlias = tuple[object, ...]


@dataclass(slots=True)
class _Track:
    """What is known of a person.

    Attributes:
        segment: The running one.
        window: Frame id and time of the first frame of the last window, or else of the first frame with the person.
        ended: Segments that the last window has ended, whose event is to come.
        first_window_s: When the first window over this connection began.
    """

    segment: RunningSegment
    window: tuple[int, float]
    ended: SegmentEvent | None = None
    first_window_s: float | None = None


@dataclass(slots=True)
class _Answered:
    """How far events were given to the caller: all before a position, and some of it."""

    position: int = -1
    keys: set[Key] = field(default_factory=set)

    def has(self, position: int, key: Key) -> bool:
        return position < self.position or (position == self.position and key in self.keys)

    def add(self, position: int, key: Key) -> None:
        if position > self.position:
            self.position, self.keys = position, set()
        self.keys.add(key)


class Continuity:
    """Makes one stream of the events of each connection.

    Args:
        own_ids: Whether people have the caller's ids, which never change.
    """

    def __init__(self, own_ids: bool = False) -> None:
        self.started: Started | None = None
        self._ids = None if own_ids else PersonIds()
        self._answered = _Answered()
        self._tracks: dict[int, _Track] = {}
        self._seen_s: dict[int, float] = {}  # when each was seen last
        self._held: list[tuple[Framed, int]] = []  # last words of the connection, or of a track
        self._dropped = self._dropped_before = 0
        self._is_first = True

    @property
    def answered(self) -> int:
        """Position of the newest frame with an event; -1: there is none."""
        return self._answered.position

    def resume_at(self) -> list[tuple[int, float]]:
        """Returns frame id and time of the frames with which the last windows of the people in sight began."""
        newest_s = max(self._seen_s.values(), default=0.0)
        earliest_s = newest_s - _WINDOWS * self._window_s
        windows = [self._tracks[person].window for person in self._seen_s if person in self._tracks]
        return [window for window in windows if window[1] >= earliest_s]

    @property
    def _window_s(self) -> float:
        started = self.started
        return started.clip_frames * started.sample_interval_s if started and started.clip_frames else _WINDOW_S

    def take(self, event: Event, position: int | None) -> list[Event]:
        """Returns the events that the caller gets, for one that has come.

        Args:
            event: Over the present connection.
            position: Of its frame in the stream; None: of one that was forgotten, or of none.
        """
        if isinstance(event, Started):
            return self._start(event)
        place = self._answered.position if position is None else position
        self._dropped = event.dropped_frames
        if self._ids is not None:
            event = self._ids.renamed(event, place, self._answered.position)
        event = replace(event, dropped_frames=self._dropped_before + event.dropped_frames)
        match event:
            case ActionEvent():
                return self._action(event, place)
            case SegmentEvent():
                return self._segment(event, place)
        if isinstance(event, Flushed):  # those that were answered are not sent again
            given: list[Event] = [*self._release(), event]
            self._tracks.clear()
            self._seen_s.clear()
            return given
        held, given = self._release(), self._given(event, place)
        if isinstance(event, PoseEvent) and given:
            self._see(event)
        return held + given

    def finished(self) -> list[Event]:
        """Returns the events that were held, after the service has answered everything."""
        return self._release()

    def lost(self) -> list[Event]:
        """Notes that the connection was lost; what a stopping gateway said last comes again from the next one.

        Returns:
            Segments that have ended, but whose event did not come any more.
        """
        self._held.clear()
        ended: list[Event] = []
        for track in self._tracks.values():
            if track.ended is not None:
                ended.append(track.ended)
                track.ended = None
            track.first_window_s = None
        if self._ids is not None:
            self._ids.begin_anew()
        self._dropped_before += self._dropped
        self._dropped, self._is_first = 0, False
        return ended

    def _start(self, event: Started) -> list[Event]:
        is_new = event != self.started
        self.started = event
        return [event] if is_new else []

    def _see(self, event: PoseEvent) -> None:
        ids = {person.id for person in event.people if person.id is not None}
        for person_id in ids - self._tracks.keys():
            self._tracks[person_id] = _Track(RunningSegment(person_id), (event.frame_id, event.time_s))
        for track in self._tracks.values():
            track.ended = None  # the service thinks otherwise
        self._seen_s = {
            person_id: seen_s for person_id, seen_s in self._seen_s.items() if seen_s >= event.time_s - self._window_s
        } | dict.fromkeys(ids, event.time_s)
        self._tracks = {person_id: track for person_id, track in self._tracks.items() if person_id in self._seen_s}

    def _action(self, event: ActionEvent, position: int) -> list[Event]:
        track = self._tracks.setdefault(
            event.person_id, _Track(RunningSegment(event.person_id), (event.first_frame_id, event.start_s))
        )
        if track.first_window_s is None:
            track.first_window_s = event.start_s
        if self._is_short(event):
            self._held.append((event, position))
            return []
        return self._given_action(event, position)

    def _given_action(self, event: ActionEvent, position: int) -> list[Event]:
        given = self._given(event, position)
        if given:
            track = self._tracks[event.person_id]
            track.window = (event.first_frame_id, event.start_s)
            track.ended = track.segment.add(event)
        return given

    def _segment(self, event: SegmentEvent, position: int) -> list[Event]:
        if self._is_known(event, position):
            return []
        track = self._tracks.get(event.person_id)
        if track is not None and track.ended is not None:
            event, track.ended = self._continued(event, track, track.ended), None
            return self._given(event, position)
        self._held.append((event, position))
        return []

    def _continued(self, event: SegmentEvent, track: _Track, known: SegmentEvent | None) -> SegmentEvent:
        """Returns a segment with the beginning that it had over an earlier connection."""
        began = track.first_window_s
        is_cut = not self._is_first and began is not None and event.start_s <= began
        if known is None or not is_cut or known.label != event.label or known.start_s > event.start_s:
            return event
        return replace(event, start_s=known.start_s, score=known.score)

    def _is_short(self, event: ActionEvent) -> bool:
        """Returns whether a window is not full: its track has ended, or the connection does."""
        if self.started is None:
            return False
        full_s = (self.started.clip_frames - 1.5) * self.started.sample_interval_s
        return event.end_s - event.start_s < full_s

    def _release(self) -> list[Event]:
        held, self._held = self._held, []
        given: list[Event] = []
        for event, position in held:
            if isinstance(event, ActionEvent):
                given += self._given_action(event, position)
                continue
            assert isinstance(event, SegmentEvent)
            track = self._tracks.get(event.person_id)
            if track is not None:
                known = track.ended or track.segment.finish(event)
                event, track.ended = self._continued(event, track, known), None
            given += self._given(event, position)
        return given

    def _given(self, event: Framed, position: int) -> list[Event]:
        """Returns the event, unless the caller has it already."""
        if self._is_known(event, position):
            return []
        self._answered.add(position, _key(event))
        return [event]

    def _is_known(self, event: Framed, position: int) -> bool:
        return not self._is_first and self._answered.has(position, _key(event))


def _key(event: Framed) -> Key:
    match event:
        case ActionEvent():
            return event.event, event.person_id, event.first_frame_id
        case SegmentEvent():
            return event.event, event.person_id, event.label
    return (event.event,)
