"""Evaluation on a real service: its Triton asked directly, and its gateway, by networks whose answers are known."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.opening import open_target
from models.evaluation.targets.outputs import CropTarget, WholeClip, WholePicture
from models.evaluation.targets.problem import TargetProblem
from service.settings import ROOT
from service.testing.ports import free_loopback_port
from service.testing.running import ServiceProcess, running_service

PYTHON = ROOT / ".venv-models" / "bin" / "python"  # ONNX, SciPy and matplotlib are not in the gateway's environment
SIZE, FRAMES = 32, 4  # of the marker networks
AGREE = 1e-4


def in_models_environment(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PYTHON, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".venv-models" / "done").exists():
        pytest.skip("the models' environment is not set up (make models)")
    folder = tmp_path_factory.mktemp("repository")
    for name in ("lite_frame", "lite_clip", "person"):
        (folder / name).symlink_to(ROOT / "model_repository" / name)
    made = in_models_environment("-m", "tests.models.evaluation.targets.marker_networks", folder)
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture(scope="module")
def exact(repository: Path) -> Iterator[ServiceProcess]:
    with running_service(model_repository=str(repository), precision="fp32") as service:
        yield service


def target_of(service: ServiceProcess, model: str, batch: int = 8) -> CropTarget:
    return open_target(service.triton_address(), model, repository=Path(), cache=Path(), batch=batch)


def crops(count: int, first: int = 0) -> list[NDArray[np.uint8]]:
    return [np.full((SIZE, SIZE, 3), first + number, np.uint8) for number in range(count)]


@pytest.mark.parametrize(("model", "batch"), [("marker", 5), ("boxed", 8)])
def test_every_crop_and_clip_has_its_own_answer(exact: ServiceProcess, model: str, batch: int) -> None:
    target = target_of(exact, model, batch)
    try:
        found = list(target.poses(iter(crops(50))))
        np.testing.assert_allclose([one.keypoints_crop[-1, 0, 0] for one in found], np.arange(50) / 255, atol=1e-6)
        clips = [np.stack(crops(FRAMES, first=10 * number)) for number in range(9)]
        actions = list(target.actions(iter(clips)))
    finally:
        target.close()
    np.testing.assert_allclose([one.scores[-1, 0] for one in actions], [clip.mean() / 255 for clip in clips], atol=1e-6)
    assert all(len(one.frames) == FRAMES for one in actions)


def test_the_gateway_is_asked_in_order_with_the_persons_box(exact: ServiceProcess, repository: Path) -> None:
    """The marker answers the crop's brightness for each place: keypoints on its diagonal."""
    target = GatewayTarget("marker", exact.grpc_address)
    assert target.margin == 1.25
    assert len(target.sha256) == 64
    pictures = [np.full((120, 160, 3), 12 * number, np.uint8) for number in range(20)]
    found = list(target.poses(WholePicture(pixels, (40.0, 20.0, 60.0, 80.0)) for pixels in pictures))
    target.close()
    side = 80 * 1.25
    corner = np.array([70, 60]) - side / 2
    expected = [corner + side * 12 * number / 255 for number in range(20)]
    np.testing.assert_allclose([one.keypoints_px[0] for one in found], expected, atol=0.5)
    assert found[0].joints[0] == "pelvis"


def test_the_gateway_is_sent_whole_clips(exact: ServiceProcess) -> None:
    target = GatewayTarget("marker", exact.grpc_address)

    def clip(frames: int) -> WholeClip:
        noise = np.random.default_rng(0).integers(0, 256, (frames, 90, 120, 3), np.uint8)
        return WholeClip(lambda: iter(noise), 10.0, (20.0, 10.0, 60.0, 70.0))

    long, short = target.actions([clip(12), clip(1)])
    target.close()
    assert long.labels == short.labels
    assert long.reason is None
    assert long.scores[0] > long.scores[-1] > 0  # the marker's shares
    assert short.reason is not None
    assert not short.scores.any()


def test_what_is_no_triton_or_lacks_the_model_is_named(exact: ServiceProcess) -> None:
    def problem(address: str, model: str = "lite") -> str:
        with pytest.raises(TargetProblem) as found:
            open_target(address, model, repository=Path(), cache=Path())
        return str(found.value)

    assert "is it the gateway of deephar-serve?" in problem(exact.grpc_address)
    assert "no Triton answers by gRPC" in problem(f"127.0.0.1:{exact.http_port}")
    assert "launcher.py" in problem(f"127.0.0.1:{free_loopback_port()}")
    assert "it has boxed, lite, marker" in problem(exact.triton_address(), "nobody")
    with pytest.raises(TargetProblem, match="is it a Triton"):
        GatewayTarget("lite", exact.triton_address())
    with pytest.raises(TargetProblem, match="has no nobody; it has boxed, lite, marker"):
        GatewayTarget("nobody", exact.grpc_address)


def test_one_command_compares_onnx_triton_and_the_gateway(
    exact: ServiceProcess, repository: Path, tmp_path: Path
) -> None:
    data, out = tmp_path / "mpii", tmp_path / "out"
    make = "import sys, pathlib, tests.models.datasets.made_mpii as mpii; mpii.make(pathlib.Path(sys.argv[1]))"
    made = in_models_environment("-c", make, data)
    assert made.returncode == 0, made.stderr
    address = exact.triton_address()
    asked = in_models_environment(
        *("-m", "models.cli", "evaluate", "mpii", "--model", "lite", "--data", data, "--repository", repository),
        *("--target", f"onnx,{address},gateway", "--out", out),
        DEEPHAR_ADDRESS=exact.grpc_address,
    )
    assert asked.returncode == 0, asked.stderr
    assert f"{address} agrees with onnx to {AGREE:g}" in asked.stdout
    figures = {}
    for name in ("onnx", address.replace(":", "-"), "gateway"):
        record = json.loads((out / name / "record.json").read_text())
        figures[name] = {figure["name"]: figure["strict"] and figure["strict"]["value"] for figure in record["figures"]}
    assert figures["onnx"] == figures[address.replace(":", "-")]
    assert figures["gateway"].keys() == figures["onnx"].keys()
    assert (out / "stages.md").read_text() == asked.stdout
