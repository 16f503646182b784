"""The clip network's data: no torch needed, but it belongs to the models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lite.clip import data as clip_data
from models.lite.clip import evaluate as evaluate_clip
from models.lite.clip import negatives as clip_negatives
from models.lite.clip.batches import TrainingBatches, other_arms, vary
from models.lite.clip.data import BACKGROUND, Clips, Floats, Windows
from models.lite.clip.frame_errors import FrameErrors
from models.lite.clip.negatives import Movement, Negatives
from models.lite.clip.real_errors import RealErrors
from models.lite.frame.error_bank import ErrorBank
from models.lite.layout import ACTIONS, BODY_ELBOWS, BODY_SHOULDERS, BODY_WRISTS, NUM_FRAMES


def some_windows(count: int = 6) -> Windows:
    rng = np.random.default_rng(2)
    joints = (200 + 40 * rng.normal(size=(count, 1, 13, 2)) + 5 * rng.normal(size=(count, NUM_FRAMES, 13, 2))).astype(
        np.float32
    )
    known = np.ones((count, NUM_FRAMES, 13), bool)
    return Windows(joints, known, known, clip_data.window_torso(joints))


def test_features_and_boxes_hold_the_joints() -> None:
    """What the clip network undoes: box corner plus feature times box size are the pixels again."""
    windows = some_windows()
    features, boxes = clip_data.annotated(windows)
    points = features[..., :32].reshape(6, NUM_FRAMES, 16, 2) * boxes[:, :, None, 2:] + boxes[:, :, None, :2]
    assert points[:, :, 3:] == pytest.approx(windows.joints, abs=0.05)
    assert features.shape == (6, NUM_FRAMES, 48)


def test_no_severity_means_no_errors() -> None:
    windows = some_windows()
    _, _, right = FrameErrors(np.random.default_rng(0)).apply(windows, np.zeros(6, np.float32))
    assert right == pytest.approx(np.ones(6))


def test_more_severity_means_more_errors_and_lower_scores() -> None:
    windows = some_windows(200)
    shares, scores = [], []
    for severity in (0.15, 0.5, 0.9):
        features, boxes, right = FrameErrors(np.random.default_rng(0)).apply(
            windows, np.full(200, severity, np.float32)
        )
        assert np.isfinite(features).all()
        assert np.isfinite(boxes).all()
        shares.append(right.mean())
        scores.append(features[..., 35:].mean())
    assert shares == sorted(shares, reverse=True)
    assert scores == sorted(scores, reverse=True)
    assert shares[0] > 0.8
    assert shares[2] < 0.6


def some_bank(error: float, people: int = 40) -> ErrorBank:
    """People who all have this error, in torsos to the right, and the score 0.8."""
    rng = np.random.default_rng(4)
    errors = np.zeros((people, 16, 2), np.float32)
    errors[..., 0] = error
    joints = rng.normal(size=(people, 16, 2)).astype(np.float32)
    return ErrorBank(errors, np.full((people, 16), 0.8, np.float32), joints, np.ones((people, 16), bool))


def some_clips(count: int = 12, length: int = 60) -> Clips:
    rng = np.random.default_rng(6)
    joints = 200 + 40 * rng.normal(size=(count, 1, 13, 2)) + np.cumsum(rng.normal(size=(count, length, 13, 2)), axis=1)
    known = np.ones((count * length, 13), bool)
    labels = np.arange(count) % len(ACTIONS)
    return Clips(
        joints.reshape(-1, 13, 2).astype(np.float32), known, known, np.arange(count + 1) * length, labels.astype(int)
    )


def some_movements() -> list[Movement]:
    rng = np.random.default_rng(8)
    steps = 0.02 * rng.normal(size=(80, 13, 3))
    joints = (rng.normal(size=(1, 13, 3)) + np.cumsum(steps, axis=0)).astype(np.float32)
    return [Movement(joints, rate, 1.0, 1.0, kind) for kind, rate in (("mocap", 30.0), ("kinect", 15.0))]


def found_joints(features: Floats, boxes: Floats) -> Floats:
    """Back in pixels, (B, T, 13, 2)."""
    points = features[..., :32].reshape(*features.shape[:2], 16, 2) * boxes[:, :, None, 2:] + boxes[:, :, None, :2]
    return points[:, :, 3:]


def test_measured_errors_are_those_of_the_bank(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.lite.clip.real_errors.LOST", 0.0)
    windows = some_windows()
    windows = clip_data.windows_of(windows.joints[:, :1].repeat(NUM_FRAMES, 1), windows.visible, windows.inside)
    errors = RealErrors(some_bank(0.1), np.random.default_rng(0))
    moved = (found_joints(*errors.apply(windows)[:2]) - windows.joints) / windows.torso[:, None, None, None]
    assert np.median(moved[..., 0]) == pytest.approx(0.1, abs=0.03)
    assert np.median(moved[..., 1]) == pytest.approx(0, abs=0.02)
    assert errors.apply(windows, 0.0)[2].mean() > 0.95
    assert errors.apply(windows, 4.0)[2].mean() < 0.3


def test_measured_errors_last_from_frame_to_frame() -> None:
    bank = some_bank(0.0)
    bank.errors[:] = np.random.default_rng(5).normal(size=bank.errors.shape)
    windows = some_windows(50)
    lasting, _ = RealErrors(bank, np.random.default_rng(0)).persistent(windows.joints[:, :1].repeat(NUM_FRAMES, 1))
    same = (np.diff(lasting, axis=1) == 0).all((2, 3)).mean()
    assert 0.5 < same < 0.95


def test_measured_errors_of_a_whole_clip_and_of_one_that_nobody_knows() -> None:
    clips = some_clips(2, 90)
    (track, _) = evaluate_clip.penn_tracks(clips)
    assert track.joints.shape == (1, 30, 13, 2)
    nothing = np.zeros((1, 30, 13), bool)
    for some in (track, clip_data.windows_of(track.joints, nothing, nothing)):
        features, boxes, _ = RealErrors(some_bank(0.1), np.random.default_rng(0)).apply(some)
        assert features.shape == (1, 30, 48)
        assert np.isfinite(features).all()
        assert np.isfinite(boxes).all()


def test_joints_that_are_not_known_are_put_in_the_middle() -> None:
    windows = some_windows()
    known = windows.inside.copy()
    known[:, :, 6] = False
    middle = windows.joints[:, :, [j for j in range(13) if j != 6]].mean(2)
    assert clip_data.windows_of(windows.joints, known, known).joints[:, :, 6] == pytest.approx(middle, abs=1e-2)


def test_another_view_keeps_what_is_known_consistent() -> None:
    windows = vary(some_windows(300), np.random.default_rng(0))
    assert np.isfinite(windows.joints).all()
    assert not (windows.visible & ~windows.inside).any()
    assert 0.02 < (~windows.inside).any((1, 2)).mean() < 0.3


def test_a_person_seen_from_the_front_has_the_right_side_at_the_left() -> None:
    standing = np.zeros((20, 13, 3), np.float32)
    standing[:, 1::2, 0], standing[:, 2::2, 0] = -0.2, 0.2  # own right at smaller x, as the z axis points to the viewer
    standing[:, 0, 1] = 0.8
    picture = clip_negatives.view(standing, 0.3, np.random.default_rng(0))
    assert (picture[:, 1, 0] < picture[:, 2, 0]).all()
    assert (picture[:, 0, 1] < picture[:, 1, 1]).all()


def test_feet_stand_on_the_ground() -> None:
    walking = np.random.default_rng(0).normal(size=(30, 13, 3)).astype(np.float32)
    assert clip_negatives.on_the_ground(walking)[:, -2:, 1].min(1) == pytest.approx(np.zeros(30), abs=1e-5)


@pytest.mark.parametrize("kind", clip_negatives.SHARES)
def test_every_kind_of_negative_has_windows(kind: str) -> None:
    negatives = Negatives(some_movements(), some_clips(), np.random.default_rng(0))
    windows = negatives.of_kind(kind, 5)
    assert windows.joints.shape == (5, NUM_FRAMES, 13, 2)
    assert np.isfinite(windows.joints).all()
    movement = np.abs(np.diff(windows.joints, axis=1)).mean() / windows.torso.mean()
    assert movement < 0.02 if kind in ("still", "held") else movement > 0.002


def test_a_batch_has_all_that_it_should() -> None:
    batches = TrainingBatches(some_clips(), some_movements(), some_bank(0.1), 64, np.random.default_rng(0))
    features, boxes, labels = batches.draw()
    assert features.shape == (64, NUM_FRAMES, 48)
    assert boxes.shape == (64, NUM_FRAMES, 4)
    assert np.isfinite(features).all()
    assert np.isfinite(boxes).all()
    assert (labels == BACKGROUND).sum() == round(64 * 0.28) + round(64 * 0.02)


def test_what_is_held_out_is_not_trained_on(shared_data: Path) -> None:
    training, held_out = (clip_negatives.load_movements(shared_data, part) for part in (False, True))
    for kind in ("mocap", "kinect"):
        kept = {m.joints[:, 1].tobytes() for m in held_out if m.kind == kind}
        assert kept
        assert not kept & {m.joints[:, 1].tobytes() for m in training if m.kind == kind}


def test_measures_of_made_scores() -> None:
    """Three windows of two clips: the first right and sure, the second named wrong and unsure."""
    scores = np.zeros((3, len(ACTIONS)), np.float32)
    scores[0, 4], scores[1, 4], scores[2, 1] = 0.9, 0.7, 0.3
    features, boxes = np.zeros((3, NUM_FRAMES, 48), np.float32), np.zeros((3, NUM_FRAMES, 4), np.float32)
    figures = evaluate_clip.measure(lambda f, b: scores, features, boxes, np.array([0, 0, 1]), np.array([4, 2]))
    assert figures["accuracy"] == figures["right_and_sure"] == figures["sure"] == 0.5
    assert figures["per_action"] == {"clean_and_jerk": 1.0, "bench_press": 0.0}
    confusion = np.array(figures["confusion_matrix"])
    assert confusion.shape == (15, 16)
    assert confusion.sum() == 2
    assert confusion[4, 4] == confusion[2, BACKGROUND] == 1


@given(st.integers(1, 200), st.integers(1, 16))
def test_every_clip_has_windows_inside_it(length: int, hop: int) -> None:
    windows = clip_data.clip_windows(length, hop)
    assert windows.shape[1] == NUM_FRAMES
    assert windows.min() == 0
    assert windows.max() < length
    assert (np.diff(windows, axis=1) >= 0).all()


def test_penn_actions_official_split(shared_data: Path) -> None:
    assert len(clip_data.load_clips(shared_data, train=True)) == 1258
    test = clip_data.load_clips(shared_data, train=False)
    assert len(test) == 1068
    # The person's own left is at larger x in a jumping jack seen from the front.
    jacks = np.flatnonzero(test.labels == ACTIONS.index("jumping_jacks"))
    frames = np.concatenate([np.arange(test.offsets[i], test.offsets[i + 1]) for i in jacks])
    both = test.visible[frames][:, [1, 2]].all(1)
    right, left = test.joints[frames][both][:, 1, 0], test.joints[frames][both][:, 2, 0]
    assert (left > right).mean() > 0.95


def test_squats_with_other_arms_keep_their_legs() -> None:
    rng = np.random.default_rng(3)
    joints = rng.uniform(0, 100, (8, NUM_FRAMES, 13, 2)).astype(np.float32)
    moved = other_arms(joints, rng)
    assert other_arms(joints[:0], rng).shape == (0, NUM_FRAMES, 13, 2)  # a batch without squats
    arms = [*BODY_ELBOWS, *BODY_WRISTS]
    assert np.array_equal(np.delete(moved, arms, axis=2), np.delete(joints, arms, axis=2))
    upper = np.linalg.norm(moved[:, :, BODY_ELBOWS] - moved[:, :, BODY_SHOULDERS], axis=-1)
    assert np.ptp(upper, axis=1).max() < 1e-3  # of one length in all frames
    assert (np.abs(moved[:, :, arms] - joints[:, :, arms]).max((1, 2, 3)) > 1).all()


def test_held_frames_are_at_most_three() -> None:
    negatives = clip_negatives.Negatives(some_movements(), some_clips(), np.random.default_rng(2))
    for window in negatives.of_kind("held", 20).joints:
        assert len(np.unique(window.reshape(NUM_FRAMES, -1), axis=0)) <= clip_negatives.MOST_HELD
