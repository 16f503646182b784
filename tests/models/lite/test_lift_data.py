"""The lift's data: bones, views and cameras, errors of the keypoints, CMU's sequences."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lite.frame import error_bank
from models.lite.frame.data import People
from models.lite.frame.error_bank import ErrorBank
from models.lite.lift import data as lift_data
from models.lite.lift import views as lift_views
from tests.models.lite.made_bodies import STANDING, some_bodies

SEEDS = st.integers(0, 2**32 - 1)


@given(SEEDS)
def test_bones_and_joints_are_inverse(seed: int) -> None:
    bodies = some_bodies(seed)
    assert lift_data.to_joints(lift_data.to_bones(bodies)) == pytest.approx(bodies, abs=1e-3)


@given(SEEDS)
def test_flipping_twice_changes_nothing(seed: int) -> None:
    bodies = some_bodies(seed)
    assert np.array_equal(lift_data.flipped(lift_data.flipped(bodies)), bodies)
    assert lift_data.flipped(bodies)[:, 4] == pytest.approx(bodies[:, 5] * lift_data.ACROSS)


@given(SEEDS, st.floats(-np.pi, np.pi))
def test_a_rotation_keeps_lengths_and_handedness(seed: int, angle: float) -> None:
    rotation = lift_views.any_rotation(np.random.default_rng(seed), 180, 3)
    rotation = rotation @ lift_data.about_axis(lift_views.Y, np.full(3, angle))
    assert rotation @ rotation.transpose(0, 2, 1) == pytest.approx(np.tile(np.eye(3), (3, 1, 1)), abs=1e-5)
    assert np.linalg.det(rotation) == pytest.approx(np.ones(3), abs=1e-5)


def test_positive_turns_go_from_y_to_z_and_from_z_to_x() -> None:
    """Axes as right-handed ones: x right, y down, z away."""
    quarter = np.array([np.pi / 2])
    assert lift_data.about_axis(lift_views.X, quarter)[0] @ lift_views.Y == pytest.approx(lift_views.Z)
    assert lift_data.about_axis(lift_views.Y, quarter)[0] @ lift_views.Z == pytest.approx(lift_views.X)


@given(SEEDS)
def test_proportions_change_lengths_not_directions_nor_stature(seed: int) -> None:
    bones = lift_data.to_bones(some_bodies(seed))
    changed = lift_data.in_proportions(bones, lift_data.some_proportions(np.random.default_rng(seed), len(bones)))
    lengths, before = np.linalg.norm(changed, axis=-1), np.linalg.norm(bones, axis=-1)
    cosine = (changed * bones).sum(-1) / (lengths * before)
    assert cosine == pytest.approx(np.ones_like(cosine), abs=1e-5)
    assert lift_data.stature(lengths) == pytest.approx(np.full(len(bones), lift_data.STATURE_MM), rel=1e-4)


@given(SEEDS)
def test_other_poses_keep_the_bones_lengths(seed: int) -> None:
    bones = lift_data.to_bones(np.tile(STANDING, (20, 1, 1)))
    changed = lift_views.other_poses(bones, np.random.default_rng(seed))
    assert np.linalg.norm(changed, axis=-1) == pytest.approx(np.linalg.norm(bones, axis=-1), rel=1e-4)


@given(SEEDS, st.floats(2500, 12000))
def test_the_nearer_of_two_equal_lengths_looks_longer(seed: int, distance: float) -> None:
    near, far = some_bodies(seed), some_bodies(seed)
    near[..., 2], far[..., 2] = -300, 300
    ahead = np.tile(np.eye(3, dtype=np.float32), (len(near), 1, 1))
    away = np.full(len(near), distance)
    seen = [lift_views.project(bodies, away, ahead) for bodies in (near, far)]
    assert seen[0] * (distance - 300) == pytest.approx(near[..., :2], abs=0.05)
    assert seen[0] * (distance - 300) == pytest.approx(seen[1] * (distance + 300), abs=0.05)


@given(SEEDS)
def test_a_crop_holds_the_person_and_keeps_its_shape(seed: int) -> None:
    view = lift_views.random_views(some_bodies(seed), np.random.default_rng(seed))
    assert view.keypoints.min() >= 0
    assert view.keypoints.max() <= 1
    extent = np.ptp(view.keypoints, axis=1).max(-1)
    assert (extent > 1 / (lift_views.MARGIN[1] + 0.01)).all()
    assert not view.positions_mm[:, 0].any()


def test_a_camera_above_sees_the_head_nearer() -> None:
    rng = np.random.default_rng(0)
    positions = lift_views.random_views(np.tile(STANDING, (400, 1, 1)), rng).positions_mm
    assert positions[:, 3, 1].mean() < -600  # the head is up
    assert positions[:, 3, 2].mean() < -50  # and on the average towards the camera: it stands higher


def test_errors_come_from_people_in_like_poses() -> None:
    """Two poses, each with errors of its own: the drawn ones are those of the pose at hand."""
    rng = np.random.default_rng(1)
    sitting = STANDING.copy()
    sitting[12:14, :2], sitting[14:, :2] = (300, 30), (300, 400)
    poses, _ = error_bank.to_torsos(np.stack([STANDING, sitting])[..., :2])
    joints = np.repeat(poses, 40, axis=0) + rng.normal(0, 0.02, (80, 16, 2)).astype(np.float32)
    errors = np.repeat(np.array([0.1, 0.5], np.float32), 40)[:, None, None] * np.ones((1, 16, 2), np.float32)
    valid = np.ones((80, 16), bool)
    valid[:4, 3] = False  # no label of the head there: its error comes from another person
    errors[:4, 3], joints[:4, 3] = 0, 0
    bank = ErrorBank(errors, np.full((80, 16), 0.5, np.float32), joints, valid)
    drawn, scores = bank.draw(rng, np.repeat(poses, 50, axis=0))
    assert drawn[:50] == pytest.approx(np.full((50, 16, 2), 0.1))
    assert drawn[50:] == pytest.approx(np.full((50, 16, 2), 0.5))
    assert scores.shape == (100, 16)


def test_a_bank_compares_in_torsos_and_is_kept(tmp_path: Path) -> None:
    joints = STANDING[None, :, :2] / np.float32(10) + np.float32(100)  # pixels
    torso = np.hypot(290, 480) / 10
    valid = np.ones((1, 16), bool)
    valid[0, 9] = False
    people = People([np.zeros((200, 200, 3), np.uint8)], joints, valid)
    bank = error_bank.bank_of(people, joints + np.array([torso, 0], np.float32), np.full((1, 16), 0.7, np.float32))
    assert bank.errors[0, 5] == pytest.approx([1, 0])
    assert not bank.errors[0, 9].any()
    mirror = error_bank.mirrored(bank)
    assert mirror.errors[0, 4] == pytest.approx([-1, 0])
    assert not mirror.valid[0, 8]
    error_bank.save(error_bank.join([bank, mirror]), tmp_path / "bank.npz")
    assert len(error_bank.load(tmp_path / "bank.npz")) == 2
    with pytest.raises(FileNotFoundError, match=r"models\.lite\.frame\.error_bank"):
        error_bank.load(tmp_path / "other.npz")


def test_sequences_are_kept_apart_and_stand_upright(shared_data: Path) -> None:
    training, held_out = (lift_data.load_bodies(shared_data, held_out=which) for which in (False, True))
    assert not set(training.sequence) & set(held_out.sequence)
    assert set(training.action) < set(held_out.action)
    for bodies in (training, held_out):
        joints = bodies.joints_mm
        assert not joints[:, 0].any()
        assert (joints[:, 10, 0] < joints[:, 11, 0]).all()  # facing us, the right hip is at the left
        assert np.median(joints[:, 3, 1]) < np.median(joints[:, 1, 1]) < 0 < np.median(joints[:, 14, 1])
        walking = joints[bodies.action == "walking"]
        # Knees are in front of the straight line from hip to ankle: towards the camera.
        assert np.median(walking[:, 12, 2] - (walking[:, 10, 2] + walking[:, 14, 2]) / 2) < -10
        tall = np.median(walking[:, 14:, 1].max(1) - walking[:, 3, 1])
        assert 0.9 * lift_data.STATURE_MM < tall < lift_data.STATURE_MM


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=lift_data.CMU_FILE):
        lift_data.load_bodies(tmp_path, held_out=False)
