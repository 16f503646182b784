from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.lite import score_rule
from models.lite.frame import data as pose_data
from models.lite.frame.calibration import Calibration
from models.lite.frame.known_people import Known
from models.lite.frame.network import FrameNetwork
from models.lite.person import data as person_data
from models.lite.score_rule import Detected

HERE, THERE, NOBODY = (10, 10, 40, 80), (100, 10, 40, 80), (60, 90, 20, 30)


def test_a_detection_is_right_as_far_as_its_joints_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight of ten known joints are right. A false detection has none. A person with three known joints is left out."""
    joints = np.tile(np.array([[[20, 20]]], np.float32), (2, 16, 1)) + np.arange(16, dtype=np.float32)[:, None] * 4
    known = np.zeros((2, 16), bool)
    known[0, 6:16] = True
    known[1, 4:7] = True
    found = joints[0].copy()
    found[6:8] += 100
    monkeypatch.setattr(score_rule, "look", lambda network, image, box: (found, np.full(16, 0.85)))
    picture = Known(np.zeros((120, 160, 3), np.uint8), np.array([HERE, THERE], np.float32), joints, known, True)
    boxes, scores = np.array([HERE, THERE, NOBODY, HERE], np.float32), np.array([0.9, 0.8, 0.7, 0.05], np.float32)
    detected = list(
        score_rule.detections(lambda image: (boxes, scores), FrameNetwork(), Calibration(), iter([picture]))
    )
    assert [each.detection for each in detected] == pytest.approx([0.9, 0.7])
    assert [each.keypoints for each in detected] == pytest.approx([0.7, 0.7], abs=0.01)
    assert [each.right for each in detected] == pytest.approx([0.8, 0.0])


def test_both_scores_raise_a_persons_score() -> None:
    weak, sure, detected = Detected(0.4, 0.5, 0.0), Detected(0.4, 0.9, 0.0), Detected(0.9, 0.9, 0.0)
    scores = score_rule.scores_of(score_rule.rule_of(np.array([-0.2, 0.8, 0.5])), [weak, sure, detected])
    assert (np.diff(scores) > 0).all()


def test_pictures_kept_to_calibrate_are_not_trained_on(shared_data: Path) -> None:
    trained, kept = person_data.load_training(shared_data)
    kept_images = {image.tobytes() for image in kept.images}
    assert len(pose_data.kept_pictures(shared_data)) == len(kept.images) == 93
    assert not kept_images & {image.tobytes() for image in trained.images}
    empty = {image.tobytes() for image in pose_data.load_empty_boxed(shared_data, split=0)}
    assert kept_images & empty
    assert not kept_images & {image.tobytes() for image in pose_data.load_without_people(shared_data)}
