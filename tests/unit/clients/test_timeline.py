from __future__ import annotations

import numpy as np
import pytest
from deephar.drawing import Drawn
from deephar.timeline import Timeline


def _person(x: float, y: float = 100, size: float = 100) -> Drawn:
    return Drawn(np.array([[x, y], [x + size, y + size]], float), np.ones(2), (x, y, size, size))


def _x(timeline: Timeline, time_s: float) -> list[float]:
    return [float(person.points_px[0, 0]) for person in timeline.at(time_s)]


def _labels(timeline: Timeline, time_s: float) -> list[str]:
    return [person.label for person in timeline.at(time_s)]


def test_joints_and_boxes_go_straight_from_sample_to_sample() -> None:
    timeline = Timeline(with_ids=False)
    timeline.add_people(0.0, {1: _person(100)})
    timeline.add_people(0.1, {1: _person(120)})
    timeline.add_people(0.2, {1: _person(110)})
    assert [_x(timeline, time_s)[0] for time_s in (0, 0.025, 0.1, 0.15, 0.2)] == pytest.approx(
        [100, 105, 120, 115, 110]
    )


def test_who_comes_or_goes_is_shown_at_the_nearer_sample() -> None:
    timeline = Timeline(with_ids=False)
    timeline.add_people(0.0, {1: _person(100)})
    timeline.add_people(0.1, {2: _person(300)})
    assert [_x(timeline, time_s) for time_s in (0.04, 0.06, 0.1)] == [[100], [300], [300]]


def test_nobody_flies_through_the_picture_at_a_cut() -> None:
    timeline = Timeline(with_ids=False)
    timeline.add_people(0.0, {1: _person(100)})
    timeline.add_people(0.1, {1: _person(500)})
    assert [_x(timeline, time_s) for time_s in (0.04, 0.06)] == [[100], [500]]


def test_without_a_later_sample_people_stay_for_a_moment() -> None:
    timeline = Timeline(with_ids=False)
    assert timeline.at(0.0) == []
    timeline.add_people(0.0, {1: _person(100)})
    assert _x(timeline, 0.2) == [100]
    assert _x(timeline, 0.5) == []


def test_joints_that_the_model_lacks_stay_unknown() -> None:
    timeline = Timeline(with_ids=False)
    for time_s in (0.0, 0.1):
        person = _person(100)
        person.points_px[1] = np.nan
        timeline.add_people(time_s, {1: person})
    (person,) = timeline.at(0.05)
    assert np.isnan(person.points_px[1]).all()
    assert person.points_px[0].tolist() == [100, 100]


def test_people_without_any_joint_are_no_trouble() -> None:
    timeline = Timeline(with_ids=True)
    nobody = Drawn(np.full((2, 2), np.nan), np.zeros(2), (0, 0, 10, 10))
    timeline.add_people(0.0, {1: nobody})
    timeline.add_people(0.1, {1: nobody})
    assert _labels(timeline, 0.05) == ["1"]


def test_an_action_counts_from_the_end_of_the_window_before() -> None:
    timeline = Timeline(with_ids=False)
    for tick in range(40):
        timeline.add_people(tick / 10, {0: _person(100)})
    timeline.add_action(0, 0.0, 1.5, "squat", 0.8)
    timeline.add_action(0, 0.4, 1.9, "bowl", 0.7)
    timeline.add_action(0, 0.8, 2.3, None)
    timeline.add_action(0, 1.2, 2.7, "squat", 0.6)
    labels = [_labels(timeline, time_s)[0] for time_s in (0.0, 1.49, 1.6, 1.95, 2.4, 3.0)]
    assert labels == ["squat 0.80", "squat 0.80", "bowl 0.70", "", "squat 0.60", "squat 0.60"]


def test_ids_stand_before_the_action_where_they_are_wanted() -> None:
    timeline = Timeline(with_ids=True)
    timeline.add_people(0.0, {7: _person(300), 3: _person(100)})
    timeline.add_action(3, 0.0, 1.5, "squat", 0.812)
    assert _labels(timeline, 0.0) == ["3 squat 0.81", "7"]


def test_a_long_video_is_forgotten_as_it_is_drawn() -> None:
    timeline = Timeline(with_ids=True)
    for tick in range(10_000):
        person_id = tick // 20
        timeline.add_people(tick / 10, {person_id: _person(100)})
        timeline.add_action(person_id, tick / 10, tick / 10 + 1.5, "squat", 0.5)
        timeline.at(tick / 10 - 1.6)
    assert len(timeline._samples) < 40
    assert sum(len(actions) for actions in timeline._actions.values()) < 100
