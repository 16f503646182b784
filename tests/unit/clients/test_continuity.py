"""What a stream sends again after a reconnection, and what its caller is told of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from deephar.backlog import LOOKAHEAD, WITHOUT_WORD, Backlog
from deephar.continuity import Continuity
from deephar.events import ActionEvent, Event, Flushed, PoseEvent, SegmentEvent, Started
from deephar.frames import Flush, Frame
from deephar.results import ActionScore, Box, Layout, Person

STARTED = Started("lite", "1", "balanced", None, Layout("pa16"), 16, 0.1)


def frame(number: int, size: int = 1) -> Frame:
    return Frame(bytes(size), number / 10, number)


def at(number: int) -> dict[str, Any]:
    return {"frame_id": number, "time_s": number / 10, "lag_ms": 0.0, "dropped_frames": 0}


def pose(number: int, **boxes: float) -> PoseEvent:
    """The people in a frame: the place of each, by `p` and their id."""
    people = [Person(Box(x, 0, 10, 10), 1.0, None, (), int(name[1:])) for name, x in boxes.items()]
    return PoseEvent(**at(number), people=tuple(people))


def action(number: int, first: int, label: str = "squat", person: int = 1, score: float = 0.8) -> ActionEvent:
    scores = (ActionScore(label, score),)
    span = {"start_s": first / 10, "end_s": number / 10, "first_frame_id": first}
    return ActionEvent(**at(number), person_id=person, **span, actions=scores)  # type: ignore[arg-type]


def segment(number: int, start: int, end: int, label: str = "squat", person: int = 1) -> SegmentEvent:
    span = (start / 10, end / 10, label, 0.8)
    return SegmentEvent(number, number / 10, 0.0, 0, *span, person)


def taken(continuity: Continuity, *events: Event) -> list[Event]:
    given = []
    for event in events:
        given += continuity.take(event, None if isinstance(event, Started) else event.frame_id)
    return given


def followed(continuity: Continuity, numbers: range, **boxes: float) -> list[Event]:
    return taken(continuity, *(pose(number, **boxes) for number in numbers))


def test_what_was_answered_is_not_told_again() -> None:
    continuity = Continuity()
    first = taken(continuity, STARTED, *(pose(n, p1=0) for n in range(16)), action(15, 0))
    assert len(first) == 18
    assert continuity.resume_at() == [(0, 0.0)]
    assert continuity.lost() == []
    again = taken(continuity, STARTED, *(pose(n, p1=1) for n in range(16)), action(15, 0), pose(16, p1=1))
    assert [event.event for event in again] == ["pose"]
    assert isinstance(again[0], PoseEvent)
    assert again[0].frame_id == 16


def test_another_choice_is_told() -> None:
    continuity = Continuity()
    taken(continuity, STARTED)
    continuity.lost()
    other = replace(STARTED, version="2")
    assert taken(continuity, other) == [other]


def test_people_keep_their_ids() -> None:
    """They are recognized by their boxes; who is new then gets an id that nobody had."""
    continuity = Continuity()
    taken(continuity, STARTED)
    followed(continuity, range(4), p3=0, p7=50)
    continuity.lost()
    taken(continuity, STARTED)
    followed(continuity, range(4), p1=51, p2=1)
    (told,) = taken(continuity, pose(4, p1=52, p2=2, p3=80))
    assert isinstance(told, PoseEvent)
    assert [person.id for person in told.people] == [7, 3, 8]


def test_the_callers_own_ids_stay() -> None:
    continuity = Continuity(own_ids=True)
    followed(continuity, range(2), p9=0)
    continuity.lost()
    (told,) = followed(continuity, range(3), p9=70)
    assert isinstance(told, PoseEvent)
    assert told.people[0].id == 9


def test_a_segment_keeps_its_beginning() -> None:
    continuity = Continuity()
    taken(continuity, STARTED)
    followed(continuity, range(16), p1=0)
    taken(continuity, action(15, 0))
    followed(continuity, range(16, 20), p1=0)
    taken(continuity, action(19, 4, score=0.6))
    continuity.lost()
    assert continuity.resume_at() == [(4, 0.4)]
    followed(continuity, range(4, 20), p1=0)
    taken(continuity, action(19, 4, score=0.6))
    followed(continuity, range(20, 24), p1=0)
    taken(continuity, action(23, 8, score=0.7), segment(23, 4, 23))
    (told,) = continuity.finished()
    assert isinstance(told, SegmentEvent)
    assert (told.start_s, told.end_s) == (0.0, 2.3)
    assert told.score == pytest.approx(0.7), "the mean of all three windows"


def test_the_last_words_of_a_gateway_that_stops_are_not_told() -> None:
    continuity = Continuity()
    taken(continuity, STARTED)
    followed(continuity, range(16), p1=0)
    assert taken(continuity, action(15, 0)) == [action(15, 0)]
    assert taken(continuity, segment(15, 0, 15)) == [], "held, until the stream goes on"
    assert continuity.lost() == []
    followed(continuity, range(16), p1=0)
    assert taken(continuity, action(15, 0)) == []
    assert followed(continuity, range(16, 17), p1=0) == [pose(16, p1=0)]


def test_a_segment_that_has_ended_is_told_at_once() -> None:
    continuity = Continuity()
    taken(continuity, STARTED)
    followed(continuity, range(16), p1=0)
    taken(continuity, action(15, 0))
    followed(continuity, range(16, 20), p1=0)
    assert taken(continuity, action(19, 4, "jump"), segment(19, 0, 15)) == [action(19, 4, "jump"), segment(19, 0, 15)]


def test_a_segment_that_has_ended_is_told_though_its_event_is_lost() -> None:
    continuity = Continuity()
    taken(continuity, STARTED)
    followed(continuity, range(16), p1=0)
    taken(continuity, action(15, 0))
    followed(continuity, range(16, 20), p1=0)
    taken(continuity, action(19, 4, "jump"))
    assert continuity.lost() == [segment(19, 0, 15)]


def test_a_track_that_ends_is_told_with_the_next_frame() -> None:
    continuity = Continuity()
    taken(continuity, STARTED)
    followed(continuity, range(13), p1=0)
    short, end = action(12, 0), segment(12, 0, 12)
    assert taken(continuity, short, end) == []
    assert followed(continuity, range(13, 14)) == [short, end, pose(13)]


def test_dropped_frames_are_counted_over_all_connections() -> None:
    continuity = Continuity()
    taken(continuity, replace(pose(0), dropped_frames=3))
    continuity.lost()
    (told,) = taken(continuity, replace(pose(1), dropped_frames=2))
    assert isinstance(told, PoseEvent)
    assert told.dropped_frames == 5


def test_each_flush_is_answered() -> None:
    continuity = Continuity()
    taken(continuity, STARTED, pose(0, p1=0))
    flushed = Flushed(**at(0))
    assert taken(continuity, flushed, flushed) == [flushed, flushed]
    continuity.lost()
    assert taken(continuity, flushed) == [flushed]


def sent(backlog: Backlog) -> list[int]:
    numbers = []
    while (item := backlog.take()) is not None:
        numbers.append(item.frame_id if isinstance(item, Frame) else -1)
    return numbers


def filled(count: int) -> Backlog:
    backlog = Backlog()
    for number in range(count):
        backlog.add(frame(number))
    return backlog


def test_no_more_frames_are_sent_than_there_is_room_for() -> None:
    backlog = filled(20)
    assert sent(backlog) == list(range(WITHOUT_WORD))
    backlog.credit(0, 8)
    assert sent(backlog) == list(range(WITHOUT_WORD, 8))
    assert not backlog.is_answered
    backlog.credit(8, 5)
    assert sent(backlog) == list(range(8, 13))
    backlog.credit(13, 8)
    assert backlog.is_answered


def test_a_service_without_credits_gets_all() -> None:
    backlog = filled(20)
    sent(backlog)
    backlog.credit(0, 0)
    assert sent(backlog) == list(range(WITHOUT_WORD, 20))


def test_what_was_sent_is_sent_again_from_a_position() -> None:
    backlog = filled(10)
    backlog.credit(0, 8)
    sent(backlog)
    backlog.forget_before(3, answered=5)
    backlog.send_again(4)
    backlog.credit(0, 8)
    assert sent(backlog) == list(range(4, 10))
    assert (backlog.position_of(2, 0.2), backlog.position_of(4, 0.4)) == (None, 4)


def test_kept_frames_are_bounded_by_bytes_unless_they_are_to_be_answered() -> None:
    backlog = Backlog(max_bytes=1000)
    for number in range(10):
        backlog.add(frame(number, 300))
    backlog.credit(0, 10)
    sent(backlog)
    backlog.forget_before(0, answered=4)
    backlog.send_again(0)
    backlog.credit(0, 10)
    assert sent(backlog) == [5, 6, 7, 8, 9]


def test_who_reads_frames_waits() -> None:
    backlog = filled(LOOKAHEAD)
    assert backlog.is_full
    backlog.take()
    assert not backlog.is_full


def test_a_newer_frame_takes_the_place_of_the_one_that_waits() -> None:
    backlog = Backlog("latest")
    backlog.credit(0, 1)
    backlog.add(frame(0))
    assert sent(backlog) == [0]
    for number in range(1, 4):
        backlog.add(frame(number))
    assert (backlog.is_full, backlog.dropped) == (False, 2)
    backlog.add(Flush())
    backlog.add(frame(4))
    backlog.credit(1, 3)
    assert sent(backlog) == [3, -1, 4]


def test_an_answered_flush_is_not_sent_again() -> None:
    backlog = Backlog()
    for item in (frame(0), Flush(), frame(1)):
        backlog.add(item)
    backlog.credit(0, 8)
    assert sent(backlog) == [0, -1, 1]
    backlog.flushed()
    backlog.send_again(0)
    backlog.credit(0, 8)
    assert sent(backlog) == [1]
