"""The lift's network: accuracy, invariances, training, export."""

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
from models.lite.layout import FLIP
from models.lite.lift import data as lift_data
from models.lite.lift.data import Floats
from models.lite.lift.evaluate import evaluate, flat, mpjpe, onnx_lift
from tests.models.lite.made_bodies import STANDING, some_bank, some_bodies, write_cmu

ROOT = Path(__file__).resolve().parent.parent.parent.parent
SEEDS = st.integers(0, 2**32 - 1)


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
    image = np.random.default_rng(3).integers(0, 256, (3, 192, 192, 3), np.uint8)
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
    from models.lite.frame.network import INPUT_SIZE, FrameNetwork, ServedFrame

    assert sum(parameter.numel() for parameter in served.parameters()) <= 1_000_000
    file = tmp_path / "model.onnx"

    def inputs_of(batch: int) -> tuple[Any, ...]:
        return (torch.randint(0, 256, (batch, INPUT_SIZE, INPUT_SIZE, 3), dtype=torch.uint8),)

    names = ("image",), ("keypoints", "keypoint_scores", "action_features")
    onnx_file.export(ServedFrame(FrameNetwork(), served).eval(), inputs_of, *names, file)  # checks in ONNX Runtime
    z_is_the_lift_of_xy(file)


def test_the_committed_depth_is_the_lift_of_the_committed_joints() -> None:
    z_is_the_lift_of_xy(ROOT / "model_repository" / "lite_frame" / "1" / "model.onnx")
