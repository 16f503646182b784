"""A network of a user's own is added by the command while the service runs, and answers: where joints are is known."""

from __future__ import annotations

import io
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as rpc
from PIL import Image

from service.testing.running import ROOT, ServiceProcess, running_service
from service.vision.boxes import Box
from service.vision.crops import crop_window_around
from tests.integration.waiting import wait_for
from tests.models.own.markers import BOX, picture, places

TAKEN_UP_S = 30.0
NEAR_PX = 4.0  # a heatmap's pixel is 6.6 of the picture
PYTHON = ROOT / ".venv-models" / "bin" / "python"


@pytest.fixture(scope="module")
def networks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ONNX files that know the markers, and one of a public architecture with what torch says of a picture."""
    if not (ROOT / ".venv-models" / "done").exists():
        pytest.skip("the models' environment is not set up (make models)")
    folder = tmp_path_factory.mktemp("networks")
    names = ("heatmaps_bgr", "simcc", "shares", "baseline")
    run("tests.models.own.made_networks", folder, *names)
    return folder


def run(module: str, *arguments: str | Path) -> str:
    done = subprocess.run([PYTHON, "-m", module, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the detector and, at first, `lite` alone."""
    folder = tmp_path_factory.mktemp("models") / "repository"
    folder.mkdir()
    for network in (ROOT / "model_repository").iterdir():
        if network.name in ("lite_frame", "lite_clip", "person"):
            (folder / network.name).symlink_to(network)
    return folder


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[ServiceProcess]:
    with running_service(model_repository=str(repository)) as running:
        yield running


def models_of(service: ServiceProcess) -> dict[str, Any]:
    return {model["name"]: model for model in httpx.get(f"{service.url}/v1/models").json()["models"]}


def png(joints: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture(joints)).save(buffer, "PNG")
    return buffer.getvalue()


def pose(service: ServiceProcess, model: str) -> httpx.Response:
    options = {"model": model, "boxes": str([list(BOX)])}
    return httpx.post(f"{service.url}/v1/pose", files={"image": png(17)}, data=options, timeout=60)


def add(networks: Path, repository: Path, name: str, *options: str) -> str:
    given = ("--name", name, "--layout", "coco17", "--repository", str(repository), *options)
    return run("models.cli", "add", networks / f"{name}.onnx", *given)


@pytest.mark.parametrize(
    ("name", "options", "size"),
    [("heatmaps_bgr", ("--bgr", "--licence", "CC0"), 256), ("simcc", ("--fit", "pad"), 192), ("shares", (), 128)],
)
def test_an_added_network_answers_where_the_joints_are(
    service: ServiceProcess, repository: Path, networks: Path, name: str, options: tuple[str, ...], size: int
) -> None:
    assert pose(service, name).status_code == 404
    add(networks, repository, name, *options)
    assert wait_for(lambda: models_of(service).get(name, {}).get("ready", False), TAKEN_UP_S), service.log.read_text()
    model = models_of(service)[name]
    assert (model["layout"]["name"], model["card"]["crop"]["size"]) == ("coco17", size)
    assert model["card"]["licence"] == ("CC0" if "CC0" in options else "not stated")
    answer = pose(service, name)
    assert answer.status_code == 200, answer.text
    (person,) = answer.json()["people"]
    found = np.array([[point["x"], point["y"]] for point in person["keypoints"]])
    assert np.abs(found - places(17)).max() < NEAR_PX * 256 / size
    assert [point["name"] for point in person["keypoints"]] == model["layout"]["joints"]
    assert min(point["score"] for point in person["keypoints"]) > 0.1
    with grpc.insecure_channel(service.grpc_address) as channel:
        request = pb.EstimatePoseRequest(
            model=name, image=png(17), boxes=[pb.Box(x=BOX[0], y=BOX[1], width=BOX[2], height=BOX[3])]
        )
        said = rpc.InferenceServiceStub(channel).EstimatePose(request).people[0].keypoints
    np.testing.assert_allclose([[point.x, point.y] for point in said], found, atol=0.01)


def test_a_public_architecture_gives_what_torch_gives(
    service: ServiceProcess, repository: Path, networks: Path
) -> None:
    """Random weights have maxima that are nearly as high as others, of which bf16 may take another."""
    add(networks, repository, "baseline", "--score-type", "logits")
    assert wait_for(lambda: models_of(service).get("baseline", {}).get("ready", False), TAKEN_UP_S)
    answer = pose(service, "baseline")
    assert answer.status_code == 200, answer.text
    (person,) = answer.json()["people"]
    window = crop_window_around(Box(*BOX), 1.25)
    maps = np.load(networks / "baseline.npz")["heatmaps"]
    spread = float(maps.max() - maps.min())
    for point, heatmap in zip(person["keypoints"], maps, strict=True):
        column = round(((point["x"] - window.left) / window.side * 256 - 32) / 4)
        row = round((point["y"] - window.top) / window.side * 256 / 4)
        assert heatmap[row, column] > heatmap.max() - 0.05 * spread
        assert point["score"] == pytest.approx(1 / (1 + np.exp(-heatmap.max())), abs=0.02)


def test_a_half_complete_model_says_what_is_missing(service: ServiceProcess, repository: Path, networks: Path) -> None:
    """Without its ONNX file, or its card; it is told in the list, the answer and, once, in the log."""
    lacking = {"nofile": "nofile_frame is refused: it has no version folder", "nocard": "it has no card"}
    for name in lacking:
        add(networks, networks / "half", "simcc", "--replace")
        half = networks / "half" / "simcc_frame"
        config = half / "config.pbtxt"
        config.write_text(config.read_text().replace("simcc", name))
        if name == "nofile":
            (half / "1" / "model.onnx").unlink()
        else:
            config.write_text(config.read_text().replace('"card"', '"cart"'))
        half.rename(repository / f"{name}_frame")
    (repository / "noframe_clip").symlink_to(ROOT / "model_repository" / "lite_clip")
    lacking["noframe"] = "noframe_frame is not in the repository"

    def incomplete() -> dict[str, Any]:
        listed = httpx.get(f"{service.url}/v1/models").json()["incomplete"]
        return {model["name"]: model["missing"][0] for model in listed if not model["ready"]}

    def all_told() -> bool:  # until then they are being loaded
        told = incomplete()
        return told.keys() == lacking.keys() and all(text in told[name] for name, text in lacking.items())

    assert wait_for(all_told, TAKEN_UP_S), service.log.read_text()
    told = incomplete()
    answers = {name: pose(service, name) for name in lacking}
    with grpc.insecure_channel(service.grpc_address) as channel:
        listed = rpc.InferenceServiceStub(channel).ListModels(pb.ListModelsRequest()).incomplete
    for name in lacking:
        assert (answers[name].status_code, answers[name].json()["code"]) == (503, "unavailable")
        assert f"model '{name}' is not ready: {told[name]}" in answers[name].json()["detail"]
        assert [list(model.missing) for model in listed if model.name == name] == [[told[name]]]
        assert httpx.get(f"{service.url}/v1/models/{name}").json()["detail"] == answers[name].json()["detail"]
        assert name not in models_of(service)
    time.sleep(3)  # further readings
    log = service.log.read_text().splitlines()
    for network in ("nofile_frame", "nocard_frame", "noframe_clip"):
        assert len([line for line in log if f"{network} is refused: " in line]) == 1, log
