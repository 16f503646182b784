from __future__ import annotations

import numpy as np

from service.people.schedule import DetectionSchedule, Thumbnail
from service.vision.boxes import Box

SIZE = (480, 480)  # ten pixels for each of the thumbnail's
PERSON = Box(100, 100, 50, 200)


def thumbnail(**changes: tuple[slice, slice]) -> Thumbnail:
    grey = np.full((48, 48), 100, np.float32)
    for where in changes.values():
        grey[where] = 120
    return grey


def runs(schedule: DetectionSchedule, thumbnails: list[Thumbnail | None], people: list[Box] | None) -> list[float]:
    """Times at which the detector runs in frames of 10 a second."""
    times = []
    for i, small in enumerate(thumbnails):
        if schedule.due(i / 10, small, SIZE):
            times.append(i / 10)
        schedule.people = people  # as the tracker says after each frame
    return times


def test_it_runs_five_times_a_second() -> None:
    assert runs(DetectionSchedule(), [None] * 11, None) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_in_a_still_scene_it_runs_once_a_second() -> None:
    assert runs(DetectionSchedule(), [thumbnail()] * 21, []) == [0.0, 1.0, 2.0]


def test_where_somebody_is_missing_it_runs_as_often_as_ever() -> None:
    assert runs(DetectionSchedule(), [thumbnail()] * 5, None) == [0.0, 0.2, 0.4]


def test_who_is_followed_may_move() -> None:
    moving = [thumbnail(arm=(slice(10 + i, 12 + i), slice(9, 11))) for i in range(11)]
    assert runs(DetectionSchedule(), list(moving), [PERSON]) == [0.0, 1.0]
    assert runs(DetectionSchedule(), list(moving), []) == [0.0, 0.2, 0.4, 0.6, 0.8, 1.0]


def test_who_comes_is_looked_for_at_the_next_chance() -> None:
    comes = [thumbnail()] * 3 + [thumbnail(newcomer=(slice(20, 24), slice(0, 1)))] * 8
    assert runs(DetectionSchedule(), list(comes), [PERSON]) == [0.0, 0.4]


def test_it_can_be_asked_for_at_once() -> None:
    schedule = DetectionSchedule()
    assert schedule.due(0.0, thumbnail(), SIZE)
    schedule.people = []
    assert not schedule.due(0.1, thumbnail(), SIZE)
    schedule.at_once()
    assert schedule.due(0.1, thumbnail(), SIZE)
