from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.accuracy.peers.__main__ import agreement, table
from bench.accuracy.peers.people import Boxed, Joints
from models.lite.frame.data import crop_around


def person(scores: list[float]) -> Joints:
    """Twelve limb joints of a body 100 px tall, whose torso measures 50 px."""
    joints = np.array([[30, 20], [0, 20], [30, 35], [0, 35], [30, 50], [0, 50], [0, 60], [30, 60]], np.float32)
    legs = np.array([[0, 90], [30, 90], [0, 120], [30, 120]], np.float32)
    return Joints(np.concatenate([joints, legs])[None], np.array([scores], np.float32))


def test_agreement_counts_what_the_teacher_is_sure_of() -> None:
    teacher = person([0.9] * 8 + [0.2] * 4)
    found = Joints(teacher.joints_px.copy(), teacher.scores)
    found.joints_px[0, 0] += 60  # wrong
    found.joints_px[0, 1] += 5  # near
    found.joints_px[0, 8:] += 60  # the teacher does not know them either
    assert agreement(found, teacher) == pytest.approx(7 / 8)


def test_who_is_hardly_seen_by_the_teacher_does_not_count() -> None:
    seen, hardly = person([0.9] * 12), person([0.9] * 5 + [0.2] * 7)
    teacher = Joints(np.concatenate([seen.joints_px, hardly.joints_px]), np.concatenate([seen.scores, hardly.scores]))
    found = Joints(teacher.joints_px + np.array([0, 500], np.float32)[:, None, None], teacher.scores)
    assert agreement(found, teacher) == 1.0


@given(st.floats(-3, 3), st.floats(20, 200))
def test_the_way_back_leads_to_the_middle_of_the_crop(angle: float, side: float) -> None:
    centre = np.array([70, 50], np.float32)
    _, back = crop_around(np.zeros((100, 140, 3), np.uint8), centre, side, 64, angle)
    assert back @ [32, 32, 1] == pytest.approx(centre, abs=1e-3)


def test_a_crop_is_as_large_as_the_body_with_its_margin() -> None:
    box = np.array([10, 20, 30, 80], np.float32)
    _, back = Boxed(np.zeros((150, 140, 3), np.uint8), box, 80.0).crop(100, 1.25)
    assert back @ [0, 0, 1] == pytest.approx([25 - 50, 60 - 50])
    assert back @ [100, 100, 1] == pytest.approx([25 + 50, 60 + 50])


def test_counts_are_no_percentages() -> None:
    assert table({"one": {"people": 250, "ap50": 0.5}}).splitlines() == ["| | ap50 |", "|---|---|", "| one | 50.0 |"]
