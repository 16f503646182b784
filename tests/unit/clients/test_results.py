"""Results and events: their dictionaries are REST's JSON, both ways, and say nothing that was not said."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from deephar.events import event_from_dict
from deephar.results import ActionsAnswer, Model, Person, PoseAnswer, arrays_of
from hypothesis import given
from hypothesis import strategies as st

numbers = st.floats(allow_nan=False, allow_infinity=False, width=32)
names = st.text(max_size=8)
layouts = st.fixed_dictionaries(
    {
        "name": names,
        "joints": st.lists(names, max_size=3),
        "edges": st.lists(st.lists(st.integers(0, 9), min_size=2, max_size=2), max_size=3),
        "units": st.dictionaries(st.sampled_from("xyz"), st.sampled_from(["px", "mm_from_root"])),
    }
)
keypoints = st.fixed_dictionaries(
    {"name": names, "x": st.none() | numbers, "y": st.none() | numbers, "score": numbers},
    optional={"z": numbers, "position_mm": st.lists(numbers, min_size=3, max_size=3)},
)
boxes = st.lists(numbers, min_size=4, max_size=4)
in_picture = st.fixed_dictionaries(
    {
        "box": boxes,
        "score": numbers,
        "detection_score": st.none() | numbers,
        "keypoints": st.lists(keypoints, max_size=3),
    }
)
in_video = st.fixed_dictionaries(
    {"box": boxes, "score": numbers, "id": st.integers(0, 99), "keypoints": st.lists(keypoints, max_size=3)}
)
actions = st.lists(st.fixed_dictionaries({"label": names, "score": numbers}), max_size=3)
reasons = st.none() | st.sampled_from(["not_seen", "of_a_newer_service"])
choice: dict[str, Any] = {
    "model": names,
    "version": names,
    "effort": st.none() | st.sampled_from(["fast", "balanced", "best"]),
    "effort_reason": st.none() | names,
}
timing = st.dictionaries(names, numbers, max_size=2)
counts = st.integers(0, 9)
poses = st.fixed_dictionaries(
    choice
    | {
        "image": st.fixed_dictionaries({"width": counts, "height": counts}),
        "layout": layouts,
        "people": st.lists(in_picture, max_size=2),
        "timing_ms": timing,
    }
)
segments: dict[str, Any] = {
    "start_s": numbers,
    "end_s": numbers,
    "label": names,
    "score": numbers,
    "person_id": counts,
}
classified = st.fixed_dictionaries(
    choice
    | {
        "video": st.fixed_dictionaries(
            {
                "width": counts,
                "height": counts,
                "frames": counts,
                "lost_frames": counts,
                "fps": numbers,
                "duration_s": numbers,
            }
        ),
        "actions": actions,
        "reason": reasons,
        "people": st.lists(
            st.fixed_dictionaries({"person_id": counts, "actions": actions, "reason": reasons}), max_size=2
        ),
        "segments": st.lists(st.fixed_dictionaries(segments), max_size=2),
        "timing_ms": timing,
    }
)
at: dict[str, Any] = {"frame_id": counts, "time_s": numbers, "lag_ms": numbers, "dropped_frames": counts}


def event(kind: str, more: dict[str, Any], optional: dict[str, Any] | None = None) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({"event": st.just(kind), **at, **more}, optional=optional or {})


windows: dict[str, Any] = {
    "person_id": counts,
    "start_s": numbers,
    "end_s": numbers,
    "first_frame_id": counts,
    "actions": actions,
}
events = st.one_of(
    st.fixed_dictionaries(
        {"event": st.just("started"), **choice, "layout": layouts, "clip_frames": counts, "sample_interval_s": numbers}
    ),
    event("pose", {"people": st.lists(in_video, max_size=2)}),
    event("action", windows, {"reason": st.just("not_seen")}),
    event("segment", segments),
    event("frame_error", {"code": names, "detail": names}),
    event("flushed", {}),
)


@given(poses)
def test_a_pose_both_ways(document: dict[str, Any]) -> None:
    assert PoseAnswer.from_dict(document).to_dict() == document


@given(classified)
def test_actions_both_ways(document: dict[str, Any]) -> None:
    assert ActionsAnswer.from_dict(document).to_dict() == document


@given(events)
def test_events_both_ways(document: dict[str, Any]) -> None:
    read = event_from_dict(document)
    assert read is not None
    assert read.to_dict() == document


def unknown(document: Any) -> Any:
    """Returns a document with a further field in each of its objects."""
    if isinstance(document, dict):
        return {name: unknown(value) for name, value in document.items()} | {"of_2030": {"a": [1]}}
    return [unknown(value) for value in document] if isinstance(document, list) else document


@given(poses.filter(lambda document: not document["timing_ms"] and not document["layout"]["units"]))
def test_unknown_fields_are_ignored(document: dict[str, Any]) -> None:
    newer = unknown(document)
    newer["timing_ms"], newer["layout"]["units"] = {}, {}
    assert PoseAnswer.from_dict(newer).to_dict() == document


def test_unknown_events_are_none_and_absent_fields_empty() -> None:
    assert event_from_dict({"event": "of_2030", "frame_id": 1}) is None
    assert event_from_dict({}) is None
    assert PoseAnswer.from_dict({}).people == ()
    assert ActionsAnswer.from_dict({}).segments == ()
    assert Model.from_dict({}).actions == ()


def person(*points: dict[str, Any]) -> Person:
    return Person.from_dict({"box": [0, 0, 1, 1], "score": 1, "keypoints": list(points)})


def test_arrays_have_nan_where_there_is_nothing() -> None:
    known, lacking = {"x": 1.0, "y": 2.0, "z": 3.0, "score": 0.5}, {"x": None, "y": None, "score": 0.0}
    keypoints, scores = arrays_of([person(known, lacking)])
    np.testing.assert_array_equal(keypoints, [[[1, 2, 3], [math.nan] * 3]])
    np.testing.assert_array_equal(scores, [[0.5, 0.0]])
    assert keypoints.dtype == scores.dtype == np.float64


@pytest.mark.parametrize(("units", "dimensions"), [({"x": "px", "y": "px"}, 2), ({"z": "mm_from_root"}, 3)])
def test_arrays_of_nobody_have_a_shape(units: dict[str, str], dimensions: int) -> None:
    answer = PoseAnswer.from_dict({"layout": {"joints": ["a", "b"], "units": units}})
    assert answer.to_numpy().keypoints.shape == (0, 2, dimensions)
    assert answer.to_numpy().scores.shape == (0, 2)
