"""`deephar-models engine` from its arguments to the engine repository.

There is no TensorRT on most machines. One function is replaced, `library.installed`: what it gives "builds" an engine
by keeping the ONNX graph that TensorRT would get, and runs it in ONNX Runtime. All else is real, the numbers of fp16
graphs included. The last test uses the real TensorRT where there is one.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from models.tensorrt_engine import library
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.recipe import Recipe
from tests.models.tensorrt_engine.bench import REPOSITORY, ROOT, Bench, OnnxRuntimeInstead


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    tensorrt = OnnxRuntimeInstead("11.4.0.106")
    monkeypatch.setattr(library, "installed", lambda: tensorrt)
    bench = Bench(tmp_path, tensorrt)
    bench.own_repository(max_batch=3)  # few pictures to compare
    return bench


def test_a_good_engine_is_served(bench: Bench) -> None:
    bench.repository = REPOSITORY
    assert bench("lite") == 0
    assert {f.name for f in bench.engines.iterdir()} == {"lite_frame", "lite_clip", "person"}
    assert 'backend: "onnxruntime"' in (bench.engines / "person/config.pbtxt").read_text()
    for name, precision in {"lite_frame": "fp16", "lite_clip": "fp32"}.items():
        text = (bench.engines / name / "config.pbtxt").read_text()
        config = text_format.Parse(text, model_config_pb2.ModelConfig())
        assert (config.name, config.platform, config.max_batch_size) == (name, "tensorrt_plan", 32)
        report = bench.report(name)
        assert report["verdict"] == "passed"
        assert (report["gpu"], report["versions"]["tensorrt"]) == ("NVIDIA L4", "11.4.0.106")
        assert report["key"]["precision"] == precision
        assert report["key"]["profile"] == {"smallest": 1, "usual": 8, "largest": 32}
        assert report["plan_bytes"] == (bench.engines / name / "1/model.plan").stat().st_size
        if name == "lite_frame":
            assert json.loads(config.parameters["card"].string_value)["precision"] == precision
    differences = {d["output"]: d for name in ("lite_frame", "lite_clip") for d in bench.report(name)["differences"]}
    assert 0 < differences["keypoints"]["largest"] < 0.02
    assert 0 < differences["action_scores"]["largest"] < 0.02 / 3, "of the chain: frames in fp16, clips in fp32"
    assert bench.report("lite_clip")["other_best_actions"] == 0
    assert (bench.cache / "timing-11.4.0.106-8.9.cache").exists()


@pytest.mark.parametrize(("max_batch", "batches"), [(4, (1, 4, 4)), (20, (1, 8, 20)), (64, (1, 8, 32))])
def test_tensorrt_gets_the_batches_of_the_profile(bench: Bench, max_batch: int, batches: tuple[int, ...]) -> None:
    bench.own_repository(max_batch)
    assert bench("lite") == 0
    frame, clip = (shapes for _, shapes in bench.tensorrt.built)
    assert frame == {"image": tuple((batch, 192, 192, 3) for batch in batches)}
    assert clip == {
        "action_features": tuple((batch, 16, 48) for batch in batches),
        "crop_boxes": tuple((batch, 16, 4) for batch in batches),
    }
    assert f"max_batch_size: {batches[-1]}\n" in (bench.engines / "lite_frame/config.pbtxt").read_text()


@pytest.mark.parametrize(
    ("version", "recipe", "kind"),
    [
        ("10.13.2.6", Recipe("fp32", "fp16", False), onnx.TensorProto.FLOAT),
        ("11.4.0.106", Recipe("fp16", None, True), onnx.TensorProto.FLOAT16),
    ],
)
def test_fp16_is_a_flag_or_in_the_graph(bench: Bench, version: str, recipe: Recipe, kind: int) -> None:
    bench.tensorrt.version = version
    assert bench("lite") == 0
    assert [built for built, _ in bench.tensorrt.built] == [recipe, Recipe("fp32", None, recipe.strongly_typed)]
    graph = onnx.load_from_string((bench.engines / "lite_frame/1/model.plan").read_bytes()).graph
    kernels = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    assert {tensor.data_type for tensor in graph.initializer if tensor.name in kernels} == {kind}


def test_nothing_is_built_or_touched_when_nothing_changed(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("lite") == 0
    before = bench.files()
    assert bench("lite") == bench("--all") == 0
    assert len(bench.tensorrt.built) == 2
    assert bench.files() == before
    assert "nothing has changed" in capsys.readouterr().out


def test_only_what_changed_is_built_again(bench: Bench) -> None:
    assert bench("lite") == 0
    clip = (bench.engines / "lite_clip/1/model.plan").read_bytes()
    assert bench("lite", "--precision", "fp32") == 0
    assert len(bench.tensorrt.built) == 3
    assert bench.report("lite_frame")["key"]["precision"] == "fp32"
    assert (bench.engines / "lite_clip/1/model.plan").read_bytes() == clip
    assert bench.report("lite_clip")["differences"][0]["largest"] < 1e-5, "judged again, behind the new frames"
    (bench.engines / "lite_clip/1/model.plan").write_bytes(clip[:-1])
    assert bench("lite", "--precision", "fp32") == 0
    assert len(bench.tensorrt.built) == 4
    assert (bench.engines / "lite_clip/1/model.plan").read_bytes() == clip


def test_a_changed_card_needs_no_new_engine(bench: Bench) -> None:
    repository = bench.repository
    assert bench("lite") == 0
    config = repository / "lite_frame" / "config.pbtxt"
    config.write_text(config.read_text().replace("compact pose", "another pose"))
    assert bench("lite") == 0
    assert len(bench.tensorrt.built) == 2
    assert "another pose" in (bench.engines / "lite_frame/config.pbtxt").read_text()


@pytest.mark.parametrize(
    ("output", "off", "said"),
    [
        ("keypoints", 0.5, ["keypoints 0.5 (0.02 allowed)", "--precision fp32", "DEEPHAR_ENGINE_PRECISION=fp32"]),
        ("keypoint_scores", 0.5, ["keypoint_scores 0.5 (0.02 allowed)", "--precision fp32"]),
        ("action_scores", np.nan, ["lite_clip: action_scores of another shape or not finite"]),
        ("action_features", np.inf, ["lite_frame:", "action_features of another shape or not finite"]),
    ],
)
def test_an_engine_that_says_something_else_is_not_served(
    bench: Bench, capsys: pytest.CaptureFixture[str], output: str, off: float, said: list[str]
) -> None:
    assert bench("lite", "--precision", "fp32") == 0
    bench.tensorrt.spoil = lambda outputs: {
        n: v + np.float32(off * (n == output)) if n == output else v for n, v in outputs.items()
    }
    assert bench("lite") == 1
    assert list(bench.engines.iterdir()) == [], "not the earlier engines either"
    error = capsys.readouterr().err
    assert "lite is not served" in error
    for text in said:
        assert text in error
    verdicts = [json.loads((bench.cache / f"refused/lite_{r}.json").read_text())["verdict"] for r in ("frame", "clip")]
    assert "refused" in verdicts


def test_swapped_actions_are_not_served(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.tensorrt.spoil = lambda outputs: {
        n: np.roll(v, 1, -1) if n == "action_scores" else v for n, v in outputs.items()
    }
    assert bench("lite") == 1
    assert "another best action in 7 clips" in capsys.readouterr().err


def test_where_fp32_fails_too_fp32_is_not_the_advice(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    bench.tensorrt.spoil = lambda outputs: {name: values + 1 for name, values in outputs.items()}
    assert bench("lite", "--precision", "fp32") == 1
    error = capsys.readouterr().err
    assert "another version of TensorRT than 11.4.0.106" in error
    assert "--precision fp32" not in error


@pytest.mark.parametrize("fail_at", [0, 1])
def test_a_build_that_fails_midway_leaves_nothing_half_done(
    bench: Bench, capsys: pytest.CaptureFixture[str], fail_at: int
) -> None:
    bench.tensorrt.fail_at = fail_at
    assert bench("lite") == 1
    assert list(bench.engines.iterdir()) == []
    assert "out of memory" in capsys.readouterr().err
    bench.tensorrt.fail_at = None
    assert bench("lite") == 0
    before, built = bench.files(), len(bench.tensorrt.built)
    bench.tensorrt.version = "11.5.0.1"
    bench.tensorrt.fail_at = built + fail_at
    assert bench("lite") == 1
    assert bench.files() == before, "the engines of before still serve"


def test_all_follows_the_repository(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    repository = bench.repository
    for role in ("frame", "clip"):
        (repository / f"lite_{role}").rename(repository / f"other_{role}")
        config = repository / f"other_{role}" / "config.pbtxt"
        config.write_text(config.read_text().replace(f"lite_{role}", f"other_{role}"))
    (repository / "person").mkdir()
    (repository / "person/config.pbtxt").write_text('name: "person"')
    bench.own_repository(max_batch=3)
    assert bench("--all") == 0
    assert {f.name for f in bench.engines.iterdir()} == {
        "lite_frame",
        "lite_clip",
        "other_frame",
        "other_clip",
        "person",
    }
    assert (bench.engines / "person/config.pbtxt").read_text() == 'name: "person"', "as it is, for its own backend"
    before = bench.files()
    assert bench("--all") == 0
    assert bench.files() == before
    (repository / "other_clip/config.pbtxt").unlink()
    assert bench("other") == 0
    assert {f.name for f in bench.engines.iterdir()} == {
        "lite_frame",
        "lite_clip",
        "other_frame",
        "person",
    }
    assert "other_clip: removed" in capsys.readouterr().out


def test_one_bad_model_does_not_keep_the_others_out(bench: Bench) -> None:
    repository = bench.repository
    (repository / "bad_frame").mkdir()
    (repository / "bad_frame/config.pbtxt").write_text((repository / "lite_clip/config.pbtxt").read_text())
    (repository / "bad_frame/1").mkdir()
    (repository / "bad_frame/1/model.onnx").write_bytes((repository / "lite_clip/1/model.onnx").read_bytes())
    assert bench("--all") == 0
    assert {f.name for f in bench.engines.iterdir()} == {"lite_frame", "lite_clip"}
    assert bench("bad") == 1


def test_mistakes_are_told(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench("light") == 1
    assert "has no model light. It has: lite." in capsys.readouterr().err
    bench.engines = bench.repository
    assert bench("lite") == 1
    assert "a folder of their own" in capsys.readouterr().err
    bench.engines = bench.folder / "other models"
    (bench.engines / "lite_clip").mkdir(parents=True)
    (bench.engines / "lite_clip/config.pbtxt").touch()
    assert bench("lite") == 1
    assert "is not replaced" in capsys.readouterr().err
    assert bench.tensorrt.built == []
    assert bench("lite", "--all") == 2
    assert bench() == 2


def has_tensorrt() -> bool:
    try:
        library.installed()
    except EngineProblem:
        return False
    return True


@pytest.mark.skipif(has_tensorrt(), reason="TensorRT is here")
def test_without_tensorrt_the_command_says_what_to_do(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "models.tensorrt_engine.command", "lite", "--engines", str(tmp_path / "engines")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "docker compose up" in done.stderr or "NVIDIA Container Toolkit" in done.stderr
    assert not (tmp_path / "engines").exists()


def test_the_command_needs_no_torch() -> None:
    """It runs inside Triton's container."""
    code = (
        "import sys, models.tensorrt_engine.command; "
        "print([m for m in ('torch', 'cv2', 'PIL', 'fastapi') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.skipif(not has_tensorrt(), reason="needs TensorRT, Polygraphy and an NVIDIA GPU")
def test_with_the_real_tensorrt(tmp_path: Path) -> None:
    bench = Bench(tmp_path, OnnxRuntimeInstead("not used"))
    assert bench("lite") == 0
    assert bench.report("lite_frame")["verdict"] == "passed"
