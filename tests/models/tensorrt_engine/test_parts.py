"""The parts of `deephar-models engine` that need neither TensorRT nor a GPU."""

from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tritonclient.grpc import model_config_pb2

from models.files.checksums import sha256_of
from models.tensorrt_engine import comparison_inputs, library, publishing, report
from models.tensorrt_engine.comparison import compare
from models.tensorrt_engine.key import Key, Profile, profile_for
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.recipe import Recipe, recipe_for
from models.tensorrt_engine.report import BuiltEngine
from models.tensorrt_engine.triton_models import engine_config, models_in, others_in

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent / "model_repository"
KEY = Key("ab" * 32, "10.13.2.6", "8.9", "fp16", Profile(1, 8, 32))
Arrays = dict[str, NDArray[Any]]


@given(st.integers(1, 1000))
def test_the_profile_stays_within_the_models_batches(max_batch: int) -> None:
    profile = profile_for(max_batch)
    assert 1 == profile.smallest <= profile.usual <= profile.largest <= max_batch
    assert profile_for(32) == Profile(1, 8, 32)
    assert profile.largest <= 32


@pytest.mark.parametrize(
    "other",
    [
        {"onnx_sha256": "cd" * 32},
        {"tensorrt": "10.13.3.9"},
        {"compute_capability": "9.0"},
        {"precision": "fp32"},
        {"profile": Profile(1, 8, 16)},
    ],
    ids=lambda other: str(*other),
)
def test_an_engine_is_kept_for_its_own_key_only(tmp_path: Path, other: dict[str, Any]) -> None:
    outputs: Arrays = {"keypoints": np.zeros((1, 2, 2), np.float32)}
    told = report.report(BuiltEngine(KEY, b"plan", 1.5), library.Gpu("some", "8.9"), compare(outputs, outputs))
    publishing.publish(tmp_path, "m", {"1/model.plan": b"plan", report.FILE: told.encode(), "config.pbtxt": b""})
    kept = report.kept(tmp_path / "m", KEY)
    assert kept is not None
    assert (kept.plan, kept.build_s, kept.report) == (b"plan", 1.5, told)
    assert report.kept(tmp_path / "m", dataclasses.replace(KEY, **other)) is None


@pytest.mark.parametrize("damage", ["plan", "report", "verdict", "none"])
def test_a_damaged_or_refused_engine_is_not_kept(tmp_path: Path, damage: str) -> None:
    good: Arrays = {"keypoints": np.zeros((1, 2, 2), np.float32)}
    bad: Arrays = {"keypoints": good["keypoints"] + (damage == "verdict")}
    told = report.report(BuiltEngine(KEY, b"plan", 1.5), library.Gpu("some", "8.9"), compare(good, bad)).encode()
    files = {
        "config.pbtxt": b"",
        "1/model.plan": b"pla" if damage == "plan" else b"plan",
        report.FILE: told[:50] if damage == "report" else told,
    }
    publishing.publish(tmp_path, "m", files)
    assert (report.kept(tmp_path / "m", KEY) is None) == (damage != "none")


@pytest.mark.parametrize(
    ("version", "precision", "recipe"),
    [
        ("8.6.1", "fp16", Recipe("fp32", "fp16", False)),
        ("10.13.2.6", "fp16", Recipe("fp32", "fp16", False)),
        ("10.16.1.11", "bf16", Recipe("fp32", "bf16", False)),
        ("10.13.2.6", "fp32", Recipe("fp32", None, False)),
        ("11.0.0.114", "fp16", Recipe("fp16", None, True)),
        ("11.4.0.106", "bf16", Recipe("bf16", None, True)),
        ("11.4.0.106", "fp32", Recipe("fp32", None, True)),
    ],
)
def test_from_version_11_on_the_precision_is_in_the_graph(version: str, precision: str, recipe: Recipe) -> None:
    assert recipe_for(version, "8.9", precision) == recipe


def test_bf16_needs_a_gpu_that_has_it() -> None:
    with pytest.raises(EngineProblem, match=r"8\.0 or more, this one has 7\.5.*--precision fp16"):
        recipe_for("10.13.2.6", "7.5", "bf16")


def test_the_engines_configuration_is_the_sources_but_for_platform_and_precision() -> None:
    frame, clip = models_in(REPOSITORY)["lite"]
    for network in (frame, clip):
        config = text_format.Parse(engine_config(network.config, "fp16", 16), model_config_pb2.ModelConfig())
        assert (config.platform, config.backend, config.max_batch_size) == ("tensorrt_plan", "", 16)
        for field in ("name", "input", "output", "dynamic_batching"):
            assert getattr(config, field) == getattr(network.config, field)
    ours, source = (
        json.loads(c.parameters["card"].string_value)
        for c in (
            text_format.Parse(engine_config(frame.config, "fp16", 16), model_config_pb2.ModelConfig()),
            frame.config,
        )
    )
    assert ours == source | {"precision": "fp16"}
    assert source["precision"] != "fp16", "the source's configuration is not touched"


def test_the_repository_says_what_its_models_are(tmp_path: Path) -> None:
    assert [(n.name, n.role) for n in models_in(REPOSITORY)["lite"]] == [("lite_frame", "frame"), ("lite_clip", "clip")]
    assert sha256_of(models_in(REPOSITORY)["lite"][0].onnx) in (REPOSITORY / "lite_frame/config.pbtxt").read_text()
    with pytest.raises(EngineProblem, match="--repository"):
        models_in(tmp_path)
    for name, text in {"a_frame": 'name: "a_frame"\nmax_batch_size: 4', "person": 'name: "person"'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.pbtxt").write_text(text)
    with pytest.raises(EngineProblem, match=r"a_frame/1/model.onnx is missing"):
        models_in(tmp_path)
    (tmp_path / "a_frame/1").mkdir()
    (tmp_path / "a_frame/1/model.onnx").touch()
    assert others_in(tmp_path) == [tmp_path / "person"]
    (tmp_path / "a_frame/config.pbtxt").write_text("name: 7")
    with pytest.raises(EngineProblem, match="cannot be read"):
        models_in(tmp_path)


@pytest.fixture(scope="module")
def outputs() -> Arrays:
    """What lite's networks really say of the inputs of the comparison."""
    frame, clip = models_in(REPOSITORY)["lite"]
    said: Arrays = {}
    inputs = comparison_inputs.frame_inputs(frame, 20)
    for network in (frame, clip):
        session = onnxruntime.InferenceSession(str(network.onnx), providers=["CPUExecutionProvider"])
        names = [output.name for output in session.get_outputs()]
        said |= dict(zip(names, session.run(names, inputs), strict=True))
        inputs = comparison_inputs.clip_inputs(clip, said["action_features"], 6)
    return said


def test_the_same_passes(outputs: Arrays) -> None:
    found = compare(outputs, {name: values.copy() for name, values in outputs.items()})
    assert found.passed
    assert {d.output: d.allowed for d in found.differences} == {
        "keypoints": 0.02,
        "keypoint_scores": 0.02,
        "action_features": None,
        "action_scores": 0.02,
    }


@pytest.mark.parametrize(
    ("output", "off", "passes"),
    [
        ("keypoints", 0.0199, True),
        ("keypoints", 0.0201, False),
        ("keypoint_scores", 0.0199, True),
        ("keypoint_scores", -0.0201, False),
        ("action_scores", 0.0199, True),  # all of them: the best stays the best
        ("action_scores", 0.0201, False),
        ("action_features", 0.5, True),
        ("action_features", np.nan, False),
        ("keypoints", np.inf, False),
    ],
)
def test_how_far_off_is_too_far(outputs: Arrays, output: str, off: float, passes: bool) -> None:
    found = compare(outputs, outputs | {output: outputs[output] + np.float32(off)})
    assert found.passed == passes
    text = next(str(d) for d in found.differences if d.output == output)
    assert (f"{abs(off):.2g}" if np.isfinite(off) else "not finite") in text


def test_another_best_action_is_refused_however_near() -> None:
    reference: Arrays = {"action_scores": np.array([[0.501, 0.499], [0.9, 0.1]], np.float32)}
    found = compare(reference, {"action_scores": reference["action_scores"] + np.array([-0.002, 0.002], np.float32)})
    assert not found.passed
    assert found.differences[0].acceptable
    assert "another best action in 1 clips" in str(found)


def test_another_shape_is_refused(outputs: Arrays) -> None:
    assert not compare(outputs, outputs | {"keypoints": outputs["keypoints"][:1]}).passed
    assert not compare(outputs, {name: v for name, v in outputs.items() if name != "keypoint_scores"}).passed


def test_the_comparisons_inputs_are_the_same_each_time_and_tell_something(outputs: Arrays) -> None:
    frame, clip = models_in(REPOSITORY)["lite"]
    film = comparison_inputs.frame_inputs(frame, 20)["image"]
    assert film.shape == (20, 192, 192, 3)
    assert film.dtype == np.uint8
    np.testing.assert_array_equal(film, comparison_inputs.frame_inputs(frame, 20)["image"])
    assert film.std() > 30
    moves = np.abs(np.diff(film.astype(int), axis=0)).mean()
    assert moves < np.abs(film[0].astype(int) - film[-1]).mean(), "from frame to frame less than over the film"
    assert outputs["keypoint_scores"].mean() > 0.5, "the network sees the person"
    assert np.ptp(outputs["keypoints"], axis=0).max() > 0.3, "who moves"
    labels = json.loads(frame.config.parameters["card"].string_value)["clip"]["labels"]
    assert "jumping_jacks" in {labels[best] for best in outputs["action_scores"].argmax(-1)}
    boxes_px = comparison_inputs.clip_inputs(clip, outputs["action_features"], 6)["crop_boxes"]
    assert boxes_px.shape == (6, 16, 4)
    assert (boxes_px[..., 2:] > 50).all()
    np.testing.assert_array_equal(boxes_px[..., 2], boxes_px[..., 3])


def test_a_network_with_other_inputs_is_refused() -> None:
    frame, clip = models_in(REPOSITORY)["lite"]
    with pytest.raises(EngineProblem, match="should take `image` alone"):
        comparison_inputs.frame_inputs(clip, 3)
    with pytest.raises(EngineProblem, match=r"image.*not known"):
        comparison_inputs.clip_inputs(frame, np.zeros((3, 48), np.float32), 2)


FILES = {"config.pbtxt": b"c", "1/model.plan": b"p", report.FILE: b"{}"}


def test_what_is_published_replaces_the_earlier_one_whole(tmp_path: Path) -> None:
    publishing.publish(tmp_path, "m", FILES | {"2/model.plan": b"old"})
    publishing.publish(tmp_path, "m", FILES)
    assert {str(f.relative_to(tmp_path / "m")) for f in (tmp_path / "m").rglob("*") if f.is_file()} == FILES.keys()
    assert [f.name for f in tmp_path.iterdir()] == ["m"]
    assert (tmp_path / "m").stat().st_mode & 0o055 == 0o055 & ~os.umask(os.umask(0o022)), "Triton is another user"


def test_what_is_there_already_is_not_touched(tmp_path: Path) -> None:
    publishing.publish(tmp_path, "m", FILES)
    before = (tmp_path / "m").stat().st_ino
    publishing.publish(tmp_path, "m", FILES)
    assert (tmp_path / "m").stat().st_ino == before


def test_a_disk_that_fills_midway_leaves_the_earlier_one(tmp_path: Path) -> None:
    publishing.publish(tmp_path, "m", FILES)
    # A folder where a file should be: writing fails after other files were written.
    broken = {"1/model.plan": b"new", "config.pbtxt": b"new", "config.pbtxt/x": b""}
    with pytest.raises(OSError, match=r"config\.pbtxt"):
        publishing.publish(tmp_path, "m", broken)
    assert (tmp_path / "m/1/model.plan").read_bytes() == b"p"
    assert [f.name for f in tmp_path.iterdir()] == ["m"]


def test_only_our_own_folders_are_removed(tmp_path: Path) -> None:
    publishing.publish(tmp_path, "gone", FILES)
    publishing.publish(tmp_path, "stays", FILES)
    (tmp_path / "holiday").mkdir()
    (tmp_path / "holiday/photo.jpg").touch()
    assert publishing.withdraw_all_but(tmp_path, {"stays"}) == ["gone"]
    publishing.withdraw(tmp_path, "holiday")
    with pytest.raises(EngineProblem, match="not replaced"):
        publishing.publish(tmp_path, "holiday", FILES)
    assert {f.name for f in tmp_path.iterdir()} == {"stays", "holiday"}


def test_pips_cuda_runtime_is_shown_to_polygraphy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "nvidia" / "cu13" / "lib"
    place.mkdir(parents=True)
    (place / "libcudart.so.13").touch()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    monkeypatch.delitem(sys.modules, "nvidia", raising=False)
    monkeypatch.setenv("LD_LIBRARY_PATH", "/before")
    library._show_cuda_runtime()
    assert os.environ["LD_LIBRARY_PATH"] == f"{place}:/before"
