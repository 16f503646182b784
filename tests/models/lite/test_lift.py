"""The lift's data and network: geometry, errors, training."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.lite.frame import error_bank
from models.lite.frame.data import People
from models.lite.frame.error_bank import ErrorBank
from models.lite.layout import FLIP
from models.lite.lift import data as lift_data
from models.lite.lift import views as lift_views
from models.lite.lift.data import Floats
from models.lite.lift.evaluate import evaluate, flat, mpjpe, onnx_lift

ROOT = Path(__file__).resolve().parent.parent.parent.parent
STANDING = np.array(
    [
        [0, 0, 0],
        [0, -480, 0],
        [0, -570, 0],
        [0, -790, -30],
        [-190, -480, 0],
        [190, -480, 0],
        [-220, -180, 0],
        [220, -180, 0],
        [-230, 60, -40],
        [230, 60, -40],
        [-100, 0, 0],
        [100, 0, 0],
        [-110, 420, -20],
        [110, 420, -20],
        [-110, 840, 20],
        [110, 840, 20],
    ],
    np.float32,
)
SEEDS = st.integers(0, 2**32 - 1)


def some_bodies(seed: int, count: int = 6) -> Floats:
    """Standing people with bones a little turned."""
    rng = np.random.default_rng(seed)
    bones = lift_data.to_bones(np.tile(STANDING, (count, 1, 1)))
    return lift_data.to_joints(bones + rng.normal(0, 30, bones.shape).astype(np.float32))


def some_bank(count: int = 30) -> ErrorBank:
    rng = np.random.default_rng(4)
    joints, _ = error_bank.to_torsos(some_bodies(4, count)[..., :2])
    errors = rng.normal(0, 0.1, (count, 16, 2)).astype(np.float32)
    return ErrorBank(errors, rng.random((count, 16), np.float32), joints, np.ones((count, 16), bool))


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
    view = lift_views.see(some_bodies(seed), np.random.default_rng(seed))
    assert view.keypoints.min() >= 0
    assert view.keypoints.max() <= 1
    extent = np.ptp(view.keypoints, axis=1).max(-1)
    assert (extent > 1 / (lift_views.MARGIN[1] + 0.01)).all()
    assert not view.positions_mm[:, 0].any()


def test_a_camera_above_sees_the_head_nearer() -> None:
    rng = np.random.default_rng(0)
    positions = lift_views.see(np.tile(STANDING, (400, 1, 1)), rng).positions_mm
    assert positions[:, 3, 1].mean() < -600  # the head is up
    assert positions[:, 3, 2].mean() < -50  # and on the average towards the camera: it stands higher


@given(SEEDS)
def test_mpjpe_is_that_of_known_cases(seed: int) -> None:
    bodies = some_bodies(seed)
    assert mpjpe(bodies + np.float32(70), bodies) == pytest.approx(np.zeros(len(bodies)), abs=1e-3)
    moved = bodies.copy()
    moved[:, 5] += (30, 0, 40)
    assert mpjpe(moved, bodies) == pytest.approx(np.full(len(bodies), 50 / 16), rel=1e-3)


def test_without_depth_the_error_is_the_depth() -> None:
    bodies = some_bodies(1)
    assert mpjpe(flat(bodies[..., :2] / np.float32(900) + np.float32(0.4), bodies), bodies) == pytest.approx(
        np.abs(bodies[..., 2]).mean(-1), rel=1e-2
    )


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


def write_cmu(folder: Path) -> None:
    """Three made sequences of CMU's 38 joints, one of them for tests: STANDING with its limbs a little turned."""
    joints = some_bodies(3, 30) * np.array([1e-3, -1e-3, -1e-3], np.float32)  # metres, y up
    xyz = np.zeros((30, 38, 3), np.float32)
    xyz[:, lift_data.CMU_LIMBS] = joints[:, 4:]
    for joint, source in ((lift_data.CMU_LOWER_NECK, 1), (lift_data.CMU_UPPER_NECK, 2), (lift_data.CMU_HEAD, 3)):
        xyz[:, joint] = joints[:, source]
    np.savez(
        folder / lift_data.CMU_FILE,
        xyz=xyz,
        offsets=np.array([0, 10, 20, 30]),
        action=np.array(["walking", "walking", "running"]),
        split=np.array(["train", "test", "train"]),
        filename=np.array(["walking_1.txt", "walking_1.txt", "running_1.txt"]),
    )


def test_evaluation_is_of_held_out_sequences_and_repeatable(tmp_path: Path) -> None:
    write_cmu(tmp_path)

    def nowhere(keypoints: Floats, scores: Floats) -> Floats:
        assert keypoints.shape[1:] == (16, 2)
        assert 0 <= keypoints.min() <= keypoints.max() <= 1
        return np.zeros((len(scores), 16, 3), np.float32)

    first, second = (evaluate(nowhere, tmp_path, some_bank()) for _ in range(2))
    assert first == second
    assert first["views"] == 10  # of nine frames every second, twice each
    exact = first["cmu_skeleton"]["exact"]
    assert list(exact["by_action_mm"]) == ["walking"]
    bodies = lift_data.load_bodies(tmp_path, held_out=True).joints_mm[::2]
    assert exact["mpjpe_mm"] == pytest.approx(np.linalg.norm(bodies, axis=-1).mean(), abs=0.1)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=lift_data.CMU_FILE):
        lift_data.load_bodies(tmp_path, held_out=False)


Lift = Callable[[Floats, Floats], Floats]


@pytest.fixture(scope="module")
def served() -> Any:
    """The served network with made weights (an untrained one says 0)."""
    torch = pytest.importorskip("torch", reason="the models' environment has torch, the gateway's has not")
    from models.lite.lift.network import LiftNetwork, ServedLift

    torch.manual_seed(0)
    network = LiftNetwork()
    torch.nn.init.normal_(network.leave.weight, std=0.02)
    torch.nn.init.normal_(network.straight.weight, std=0.02)
    return ServedLift(network).eval()


@pytest.fixture(scope="module")
def lift(served: Any) -> Lift:
    import torch

    def lift_of(keypoints: Floats, scores: Floats) -> Floats:
        with torch.no_grad():
            positions: Floats = served(torch.from_numpy(keypoints), torch.from_numpy(scores)).numpy()
        return positions

    return lift_of


@given(SEEDS, st.floats(0.05, 4), st.floats(-2, 2), st.floats(-2, 2))
def test_shift_and_scale_of_the_crop_change_nothing(lift: Lift, seed: int, scale: float, x: float, y: float) -> None:
    rng = np.random.default_rng(seed)
    keypoints, scores = rng.random((4, 16, 2), np.float32), rng.random((4, 16), np.float32)
    moved = keypoints * np.float32(scale) + np.array([x, y], np.float32)
    assert lift(moved, scores) == pytest.approx(lift(keypoints, scores), abs=2)  # mm, of metres


@given(SEEDS)
def test_the_pelvis_is_exactly_at_zero(lift: Lift, seed: int) -> None:
    rng = np.random.default_rng(seed)
    positions = lift(rng.random((3, 16, 2), np.float32), rng.random((3, 16), np.float32))
    assert positions.shape == (3, 16, 3)
    assert np.abs(positions).max() > 10
    assert not positions[:, 0].any()


@given(SEEDS)
def test_the_mirror_image_of_a_person_gives_the_mirrored_body(lift: Lift, seed: int) -> None:
    rng = np.random.default_rng(seed)
    keypoints, scores = rng.random((3, 16, 2), np.float32), rng.random((3, 16), np.float32)
    mirrored = np.array([1, 0], np.float32) + keypoints[:, FLIP] * np.array([-1, 1], np.float32)
    assert lift(mirrored, scores[:, FLIP]) == pytest.approx(lift_data.flipped(lift(keypoints, scores)), abs=0.1)


@pytest.mark.parametrize("place", [0.0, 0.5])
def test_odd_input_gives_numbers(lift: Lift, place: float) -> None:
    """All joints at one place, all scores 0."""
    assert np.isfinite(lift(np.full((1, 16, 2), place, np.float32), np.zeros((1, 16), np.float32))).all()


def test_one_joint_far_off_hardly_moves_the_others_in_the_input() -> None:
    torch = pytest.importorskip("torch", reason="the models' environment has torch, the gateway's has not")
    from models.lite.lift.network import normalise

    keypoints = torch.from_numpy(STANDING[None, :, :2] / 3000 + 0.5)
    scores = torch.full((1, 16), 0.8)
    wrong, doubted = keypoints.clone(), scores.clone()
    wrong[0, 9], doubted[0, 9] = torch.tensor([0.0, 1.0]), 0.2
    difference = (normalise(wrong, doubted) - normalise(keypoints, scores)).norm(dim=-1)[0]
    difference[9] = 0
    assert float(difference.max()) < 0.2  # of body sizes, where an unweighted mean moves by more than twice as much


def test_training_goes_on_where_it_stopped(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="the models' environment has torch, the gateway's has not")
    from models.lite.lift.train import train

    write_cmu(tmp_path)
    error_bank.save(some_bank(), tmp_path / error_bank.BANK)
    train(tmp_path, tmp_path, seed=1, rounds=1, batch=32, steps=3)
    train(tmp_path, tmp_path, seed=1, rounds=2, batch=32, steps=3)
    log = [json.loads(line) for line in (tmp_path / "lift_log.jsonl").read_text().splitlines()]
    assert [line["pass"] for line in log] == [1, 2]
    state = torch.load(tmp_path / "lift_checkpoint.pt", weights_only=True)
    assert state["passes"] == 2
    assert all(torch.isfinite(v).all() for v in state["average"].values())


def z_is_the_lift_of_xy(frame: Path) -> None:
    """The part that `onnx_lift` cuts out of a frame network says of its x, y and scores what its z is."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="the models' environment has it, the gateway's has not")
    image = np.random.default_rng(3).integers(0, 256, (3, 160, 160, 3), np.uint8)
    session = onnxruntime.InferenceSession(str(frame), providers=["CPUExecutionProvider"])
    keypoints, scores = session.run(["keypoints", "keypoint_scores"], {"image": image})
    positions = onnx_lift(frame)(np.ascontiguousarray(keypoints[..., :2]), scores)
    assert positions.shape == keypoints.shape == (3, 16, 3)
    assert np.abs(positions[..., 2]).max() > 10
    z_mm = (keypoints[..., 2] - 0.5) * 4000
    assert z_mm == pytest.approx(positions[..., 2].clip(-2000, 2000), abs=1e-3)


def test_it_is_small_and_exports_within_the_frame_network(tmp_path: Path, served: Any) -> None:
    import torch

    from models.export import onnx_file
    from models.lite.frame.network import FrameNetwork, ServedFrame

    assert sum(parameter.numel() for parameter in served.parameters()) <= 1_000_000
    file = tmp_path / "model.onnx"

    def inputs_of(batch: int) -> tuple[Any, ...]:
        return (torch.randint(0, 256, (batch, 160, 160, 3), dtype=torch.uint8),)

    names = ("image",), ("keypoints", "keypoint_scores", "action_features")
    onnx_file.export(ServedFrame(FrameNetwork(), served).eval(), inputs_of, *names, file)  # checks in ONNX Runtime
    z_is_the_lift_of_xy(file)


def test_the_committed_depth_is_the_lift_of_the_committed_joints() -> None:
    z_is_the_lift_of_xy(ROOT / "model_repository" / "lite_frame" / "1" / "model.onnx")
