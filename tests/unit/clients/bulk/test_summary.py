"""The answer for a video is summed up from its events as the service does it."""

from __future__ import annotations

import pytest
from deephar.bulk.summary import Summary
from deephar.events import ActionEvent, Event, SegmentEvent, Started
from deephar.results import ActionScore, Layout, PersonActions, Segment, VideoFacts

AT = (0, 0.0, 0.0, 0)
STARTED = Started("lite", "1", "balanced", None, Layout("coco17"), 16, 0.1)
VIDEO = VideoFacts(640, 480, 100, 0, 25.0, 4.0)


def window(person_id: int, reason: str | None = None, **scores: float) -> ActionEvent:
    actions = tuple(ActionScore(*item) for item in sorted(scores.items(), key=lambda item: -item[1]))
    return ActionEvent(*AT, person_id, 0.0, 1.6, 0, actions, reason)


def summed(*events: Event, top_k: int = 0) -> Summary:
    summary = Summary(top_k)
    for event in (STARTED, *events):
        summary.add(event)
    return summary


def test_scores_are_means_over_windows_and_who_has_the_most_is_the_main_person() -> None:
    events = window(2, jump=0.9, wave=0.1), window(1, jump=0.5, wave=0.3), window(1, wave=0.9, jump=0.1)
    segment = SegmentEvent(*AT, 0.0, 1.6, "wave", 0.6, 1)
    answer = summed(*events, segment).answer(VIDEO)
    assert [action.label for action in answer.actions] == ["wave", "jump"]
    assert [action.score for action in answer.actions] == pytest.approx([0.6, 0.3])
    assert [person.person_id for person in answer.people] == [1, 2]
    assert answer.segments == (Segment(0.0, 1.6, "wave", 0.6, 1),)
    assert (answer.model, answer.effort, answer.reason, answer.video) == ("lite", "balanced", None, VIDEO)


def test_no_more_actions_than_are_asked_for() -> None:
    answer = summed(window(1, jump=0.5, wave=0.3, run=0.1), top_k=1).answer(VIDEO)
    assert [action.label for action in answer.actions] == ["jump"]
    assert answer.people[0].actions == answer.actions


def test_windows_without_an_action_say_why_and_count_less() -> None:
    events = [window(1, "too_sparse"), window(1, "too_sparse"), window(1, "repeated_frames"), window(2, jump=0.5)]
    answer = summed(*events).answer(VIDEO)
    assert answer.people == (PersonActions(1, (), "too_sparse"), PersonActions(2, (ActionScore("jump", 0.5),)))
    assert answer.actions == (ActionScore("jump", 0.5),)


@pytest.mark.parametrize("events", [[], [window(0, "not_seen")]])
def test_a_video_of_nobody(events: list[Event]) -> None:
    answer = summed(*events).answer(VIDEO)
    assert (answer.actions, answer.people, answer.reason) == ((), (), "not_seen")
