"""`deephar-models add`: networks of several kinds, as files that users have, become models that find what they find."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from google.protobuf import text_format
from numpy.typing import NDArray
from onnx import TensorProto, helper
from PIL import Image
from tritonclient.grpc import model_config_pb2

from models import cli
from models.files.checksums import sha256_of
from models.own import sample
from service.vision.boxes import Box
from service.vision.crops import crop, crop_window_around, to_picture
from service.vision.layouts import LAYOUTS
from tests.models.own.made_networks import MADE, export
from tests.models.own.markers import BOX, picture, places

ROOT = Path(__file__).resolve().parents[3]
NEAR_PX = 4.0  # a heatmap's pixel is 6.6 of the picture


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Exports a made network; each once."""
    folder = tmp_path_factory.mktemp("networks")

    def made(name: str, **how: Any) -> Path:
        file = folder / f"{name}{'-'.join(map(str, how.values()))}.onnx"
        if not file.exists():
            export(name, file, **how)
        return file

    return made


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def add(
    file: Path, repository: Path, *options: str, layout: str = "coco17", name: str = "own", joints: int = 17
) -> int:
    seen = repository.parent / f"markers{joints}.png"
    Image.fromarray(picture(joints)).save(seen)
    where = ["--picture", str(seen), "--box", ",".join(map(str, BOX))]
    given = ["add", str(file), "--name", name, "--layout", layout, "--repository", str(repository)]
    return cli.main([*given, *where, *options])


def config_of(folder: Path) -> Any:
    return text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())


def card_of(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(config_of(folder).parameters["card"].string_value)
    return card


def found(folder: Path, image: NDArray[np.uint8], box: tuple[float, ...] = BOX) -> tuple[NDArray[Any], NDArray[Any]]:
    """Places in the picture (K, 2) and scores (K,), by the written network alone and as the service crops."""
    card = card_of(folder)
    window = crop_window_around(Box(*box), card["crop"]["margin"])
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"))
    size = card["crop"]["size"]
    keypoints, scores = session.run(["keypoints", "keypoint_scores"], {"image": crop(image, window, size)[None]})
    assert ((keypoints >= 0) & (keypoints <= 1)).all()
    return to_picture(keypoints[0, :, :2], window), scores[0]


@pytest.mark.parametrize(
    ("network", "options"),
    [
        ("heatmaps", ()),
        ("heatmaps", ("--fit", "pad")),
        ("heatmaps", ("--refine", "parabola")),
        ("heatmaps", ("--refine", "none")),
        ("heatmaps_bgr", ("--bgr",)),
        ("simcc", ()),
        ("simcc", ("--simcc", "simcc_x", "simcc_y", "--split-ratio", "2")),
        ("coordinates", ()),
        ("coordinates", ("--fit", "pad")),
        ("shares", ()),
        ("shares_yx", ("--yx",)),
        ("channels_last", ("--range", "0..255", "--mean", "0,0,0", "--std", "1,1,1")),
    ],
)
def test_joints_are_found_where_they_are(
    files: Callable[..., Path], repository: Path, network: str, options: tuple[str, ...]
) -> None:
    assert add(files(network), repository, *options) == 0
    keypoints, scores = found(repository / "own_frame", picture(17))
    assert np.abs(keypoints - places(17)).max() < NEAR_PX * (2 if "pad" in options else 1)
    assert scores.min() > 0.1
    assert scores.max() <= 1


def test_a_parabola_is_nearer_than_the_maximum(files: Callable[..., Path], repository: Path) -> None:
    distances = {}
    for way in ("none", "quarter", "parabola"):
        assert add(files("heatmaps_14"), repository, "--refine", way, layout="lsp14", name=way, joints=14) == 0
        keypoints, _ = found(repository / f"{way}_frame", picture(14))
        distances[way] = float(np.linalg.norm(keypoints - places(14), axis=1).mean())
    assert distances["parabola"] < distances["quarter"] < distances["none"]


def test_what_is_written_is_what_triton_and_the_gateway_want(
    files: Callable[..., Path], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = files("heatmaps")
    stated = ("--licence", "CC0", "--description", "sees markers", "--crop-scale", "1.2")
    assert add(file, repository, *stated, "--precision", "fp16") == 0
    folder = repository / "own_frame"
    assert sorted(path.name for path in repository.iterdir()) == ["own_frame"]
    config, card = config_of(folder), card_of(folder)
    assert (config.name, config.backend, config.max_batch_size) == ("own_frame", "onnxruntime", 32)
    assert {(t.name, tuple(t.dims)) for t in config.output} == {("keypoints", (17, 2)), ("keypoint_scores", (17,))}
    assert card["crop"] == {"size": 256, "margin": 1.2}
    assert (card["layout"], card["dims"], card["licence"]) == ("coco17", 2, "CC0")
    assert card["description"] == "sees markers"
    assert card["weights"] == f"heatmaps.onnx, sha256 {sha256_of(file)}"
    assert card["weights_sha256"] == sha256_of(folder / "1" / "model.onnx")
    model = onnx.load(folder / "1" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert any(tensor.data_type == TensorProto.FLOAT16 for tensor in model.graph.initializer)
    told = capsys.readouterr().out
    assert "heatmaps of 64 x 48 (heatmaps)" in told
    assert "input 256 x 192 of a crop of 256 x 256, batches of up to 32" in told
    for joint in ("nose", "right_ankle"):
        assert f"\n{joint} " in told


@pytest.mark.parametrize(("batch", "opset"), [("any", 11), ("one", 11), ("one", 17)])
def test_old_files_and_those_of_one_picture_take_batches(
    files: Callable[..., Path], repository: Path, batch: str, opset: int
) -> None:
    """`shares` has shapes in it, which are written out for a batch of one."""
    assert add(files("shares", batch=batch, opset=opset), repository) == 0
    folder = repository / "own_frame"
    assert config_of(folder).max_batch_size == 32
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"))
    crops = np.stack([np.roll(crop(picture(17), crop_window_around(Box(*BOX), 1.25), 128), n, 1) for n in (0, 5, 9)])
    keypoints, scores = session.run(["keypoints", "keypoint_scores"], {"image": crops})
    for one, place, score in zip(crops, keypoints, scores, strict=True):
        alone, alone_score = session.run(["keypoints", "keypoint_scores"], {"image": one[None]})
        np.testing.assert_allclose(alone[0], place, atol=1e-5)
        np.testing.assert_allclose(alone_score[0], score, atol=1e-5)


def graph(inputs: Any, outputs: Any, nodes: Any, weights: Any = (), opset: int = 17) -> onnx.ModelProto:
    infos = [
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in tensors]
        for tensors in (inputs, outputs)
    ]
    made = helper.make_graph(nodes, "g", infos[0], infos[1], list(weights))
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def constant(name: str, values: Any) -> onnx.TensorProto:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


def test_a_file_that_cannot_take_a_batch_gets_one_crop_at_a_time(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = np.linspace(0, 60, 34, dtype=np.float32).reshape(1, 17, 2)
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[0, 1, 2, 3], keepdims=0),  # of all pictures at once
        helper.make_node("Mul", ["m", "zero"], ["z"]),
        helper.make_node("Add", ["places", "z"], ["y"]),
    ]
    weights = [constant("places", numbers), constant("zero", np.float32(0))]
    onnx.save(graph([("x", (1, 3, 64, 64))], [("y", (1, 17, 2))], nodes, weights), tmp_path / "one.onnx")
    assert add(tmp_path / "one.onnx", repository) == 0
    assert config_of(repository / "own_frame").max_batch_size == 1
    told = capsys.readouterr()
    assert "one crop at a time" in told.out
    assert "all scores are 1" in told.err


def test_joints_chosen_from_more_channels(files: Callable[..., Path], repository: Path) -> None:
    order = "16,14,12,11,13,15,10,8,6,5,7,9,0,1"
    assert add(files("heatmaps"), repository, "--joints", order, layout="lsp14") == 0
    keypoints, _ = found(repository / "own_frame", picture(17))
    wanted = places(17)[[int(channel) for channel in order.split(",")]]
    assert np.abs(keypoints - wanted).max() < NEAR_PX


def test_what_is_outside_or_no_number_has_score_0(repository: Path, tmp_path: Path) -> None:
    numbers = np.full((1, 17, 3), 32, np.float32)
    numbers[0, :, 2] = 0.9
    numbers[0, 0, 0], numbers[0, 1, 1], numbers[0, 3, 2] = -5, 70, -0.2
    # Joint 2 is NaN where the picture is black, as it is not in the sample.
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["m", "one"], ["s"]),
        helper.make_node("Div", ["s", "s"], ["n"]),
        helper.make_node("Mul", ["places", "n"], ["scaled"]),
        helper.make_node("Where", ["second", "scaled", "places"], ["y"]),
    ]
    second = np.zeros((1, 17, 3), bool)
    second[0, 2, :2] = True
    weights = [constant("places", numbers), constant("second", second), constant("one", np.array([1], np.int64))]
    plain = ("--mean", "0,0,0", "--std", "1,1,1")
    model = graph([("x", ("b", 3, 64, 64))], [("y", ("b", 17, 3))], nodes, weights)
    onnx.save(model, tmp_path / "some.onnx")
    assert add(tmp_path / "some.onnx", repository, *plain) == 0
    session = onnxruntime.InferenceSession(str(repository / "own_frame" / "1" / "model.onnx"))
    black = np.zeros((1, 64, 64, 3), np.uint8)
    keypoints, scores = session.run(["keypoints", "keypoint_scores"], {"image": black})
    assert np.isfinite(keypoints).all()
    assert keypoints.min() >= 0
    assert keypoints.max() <= 1
    np.testing.assert_allclose(scores[0], [0, 0, 0, 0, *[0.9] * 13], atol=1e-6)
    _, scores = session.run(["keypoints", "keypoint_scores"], {"image": black + np.uint8(9)})
    np.testing.assert_allclose(scores[0], [0, 0, 0.9, 0, *[0.9] * 13], atol=1e-6)


@pytest.mark.parametrize(("depth", "options"), [(0.5, ("--unit", "unit")), (0.5, ("--unit", "pixels"))])
def test_depth_comes_with_a_scale(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], depth: float, options: tuple[str, ...]
) -> None:
    side = 64 if "pixels" in options else 1
    numbers = np.full((1, 17, 3), 0.5 * side, np.float32)
    numbers[..., 2] = 0.25 * side  # from the root
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["m"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["m", "one"], ["s"]),
        helper.make_node("Mul", ["s", "zero"], ["z"]),
        helper.make_node("Add", ["places", "z"], ["y"]),
    ]
    weights = [constant("places", numbers), constant("zero", np.float32(0)), constant("one", np.array([1], np.int64))]
    onnx.save(graph([("x", ("b", 3, 64, 64))], [("y", ("b", 17, 3))], nodes, weights), tmp_path / "z.onnx")
    assert add(tmp_path / "z.onnx", repository, "--third", "z", *options) == 1
    assert "--depth-scale-mm" in capsys.readouterr().err
    assert add(tmp_path / "z.onnx", repository, "--third", "z", "--depth-scale-mm", "2000", *options) == 0
    card = card_of(repository / "own_frame")
    assert (card["dims"], card["depth_scale_mm"]) == (3, 2000)
    session = onnxruntime.InferenceSession(str(repository / "own_frame" / "1" / "model.onnx"))
    (keypoints,) = session.run(["keypoints"], {"image": np.ones((1, 64, 64, 3), np.uint8)})
    np.testing.assert_allclose(keypoints[0, 0], [0.5, 0.5, 0.75])


def identity(shapes: dict[str, tuple[int, ...]], inputs: Any = (("x", ("b", 3, 64, 64)),)) -> onnx.ModelProto:
    """A network with outputs of these shapes, all zero."""
    weights = [constant(f"{name}_zero", np.zeros(shape, np.float32)) for name, shape in shapes.items()]
    nodes = [helper.make_node("Identity", [f"{name}_zero"], [name]) for name in shapes]
    return graph(inputs, shapes.items(), nodes, weights)


MAPS = (1, 17, 16, 16)


@pytest.mark.parametrize(
    ("model", "options", "said"),
    [
        (
            identity({"a": MAPS, "b": MAPS}),
            (),
            ["a (1, 17, 16, 16), b (1, 17, 16, 16)", "--heatmaps a", "--heatmaps b"],
        ),
        (identity({"a": (1, 16, 16, 16)}), (), ["coco17 has 17 joints", "16 joints", "pa16, mpii16", "--joints"]),
        (identity({"a": (1, 133, 16, 16)}), (), ["133 joints", "No layout has as many", "0-16"]),
        (identity({"a": MAPS}), ("--joints", "0-15"), ["--joints names 16 channels"]),
        (identity({"a": (1, 56, 8400)}), (), ["no output looks like", "a (1, 56, 8400)", "Export it up to"]),
        (identity({"a": MAPS}), ("--heatmaps", "maps"), ["no output maps", "a (1, 17, 16, 16)"]),
        (identity({"a": MAPS}), ("--size", "128x96"), ["--size is 128x96", "64x64"]),
        (identity({"a": MAPS}, [("x", ("b", 3, "h", "w"))]), (), ["any size", "--size 256x192"]),
        (identity({"a": MAPS}, [("x", ("b", 1, 64, 64))]), (), ["must have one input", "x (b, 1, 64, 64)"]),
        (
            identity({"a": MAPS}, [("x", (1, 3, 64, 64)), ("y", (1, 2))]),
            (),
            ["one input", "x (1, 3, 64, 64), y (1, 2)"],
        ),
        (identity({"a": MAPS}, [("x", (8, 3, 64, 64))]), (), ["batches of 8"]),
        (identity({"a": MAPS}), ("--third", "z", "--depth-scale-mm", "9"), ["--depth-scale-mm is for coordinates"]),
    ],
)
def test_what_is_missing_or_ambiguous_is_told_and_nothing_is_written(
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    model: onnx.ModelProto,
    options: tuple[str, ...],
    said: list[str],
) -> None:
    onnx.save(model, tmp_path / "some.onnx")
    assert add(tmp_path / "some.onnx", repository, *options) == 1
    told = capsys.readouterr().err
    assert told.startswith("deephar-models: ")
    for text in said:
        assert text in told
    assert not repository.exists()


def test_files_that_are_no_network_of_onnx_are_told(
    repository: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(file: Path) -> str:
        assert add(file, repository) == 1
        return capsys.readouterr().err

    (tmp_path / "weights.pth").write_bytes(b"PK\x03\x04 not ONNX")
    assert "is no ONNX file" in told(tmp_path / "weights.pth")
    model = identity({"a": MAPS})
    onnx.save(model, tmp_path / "big.onnx", save_as_external_data=True, location="big.data", size_threshold=0)
    (tmp_path / "big.data").unlink()
    assert "put big.data beside it" in told(tmp_path / "big.onnx")
    strange = identity({"a": MAPS})
    strange.graph.node.append(helper.make_node("MMCVDeformConv2d", ["x"], ["d"], domain="mmcv"))
    strange.opset_import.append(helper.make_opsetid("mmcv", 1))
    onnx.save(strange, tmp_path / "strange.onnx")
    assert "mmcv.MMCVDeformConv2d" in told(tmp_path / "strange.onnx")
    old = graph([("x", ("b", 3, 64, 64))], [("a", MAPS)], [helper.make_node("Scan", ["x"], ["a"])], opset=8)
    onnx.save(old, tmp_path / "old.onnx")
    assert "old.onnx has opset 8, and cannot be converted to 13" in told(tmp_path / "old.onnx")
    assert not repository.exists()


def test_weights_beside_the_file_come_with_it(files: Callable[..., Path], repository: Path, tmp_path: Path) -> None:
    onnx.save(
        onnx.load(files("heatmaps")),
        tmp_path / "own.onnx",
        save_as_external_data=True,
        location="own.data",
        size_threshold=0,
    )
    assert add(tmp_path / "own.onnx", repository) == 0
    (tmp_path / "own.data").unlink()
    keypoints, _ = found(repository / "own_frame", picture(17))
    assert np.abs(keypoints - places(17)).max() < NEAR_PX


def test_a_name_that_is_taken_is_only_replaced_when_asked(
    files: Callable[..., Path], repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add(files("heatmaps"), repository) == 0
    (repository / "own_clip").mkdir()  # of the model before
    before = (repository / "own_frame" / "1" / "model.onnx").read_bytes()
    assert add(files("simcc"), repository) == 1
    assert "has a model own already" in capsys.readouterr().err
    assert (repository / "own_frame" / "1" / "model.onnx").read_bytes() == before
    assert add(files("simcc"), repository, "--replace") == 0
    assert "simcc" in card_of(repository / "own_frame")["description"]
    assert [path.name for path in repository.iterdir()] == ["own_frame"]
    assert add(files("simcc"), repository, name="../own") == 1
    assert "cannot be named" in capsys.readouterr().err


def test_wrong_pixels_are_told_with_what_would_be_better(
    files: Callable[..., Path],
    repository: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The picture of markers takes the place of the sample, whose joints are known."""
    Image.fromarray(picture(17)).save(tmp_path / "sample.png")
    joints = LAYOUTS["coco17"].joints
    monkeypatch.setattr(sample, "PICTURE", tmp_path / "sample.png")
    monkeypatch.setattr(sample, "PERSON", Box(*BOX))
    monkeypatch.setattr(sample, "JOINTS", dict(zip(joints, map(tuple, places(17)), strict=True)))
    given = ["--name", "own", "--layout", "coco17", "--repository", str(repository), "--replace"]
    for network, right in (("heatmaps_bgr", "--range 0..1 --bgr"), ("heatmaps", "--range 0..1")):
        wrong = [] if "--bgr" in right else ["--bgr"]
        assert cli.main(["add", str(files(network)), *given, *wrong]) == 0
        told = capsys.readouterr().err
        assert re.search(r"warning: only \d of 17 joints are where the person in the sample has them", told)
        assert f"warning: with {right} there would be 17\n" in told
        assert cli.main(["add", str(files(network)), *given, *right.split()]) == 0
        told_right = capsys.readouterr()
        assert "17 of 17 joints are where the drawn person" in told_right.out
        assert "there would be" not in told_right.err


@pytest.mark.parametrize("made", ["baseline"])
def test_a_public_architecture_on_the_sample(
    files: Callable[..., Path], repository: Path, capsys: pytest.CaptureFixture[str], made: str
) -> None:
    """Random weights: what the network says is kept exactly, and doubted."""
    file = files(made)
    given = ["add", str(file), "--name", "own", "--layout", "coco17", "--repository", str(repository)]
    assert cli.main(given) == 0
    told = capsys.readouterr()
    assert "of 17 joints are where the drawn person in the sample has them" in told.out
    assert "joints are where the person in the sample has them" in told.err
    torch.manual_seed(7)
    network = MADE[made][0]().eval()
    crops = crop(picture(17), crop_window_around(Box(*BOX), 1.25), 256)
    pixels = torch.from_numpy(crops[:, 32:224].astype(np.float32) / 255).permute(2, 0, 1)
    pixels = (pixels - torch.tensor([0.485, 0.456, 0.406])[:, None, None]) / torch.tensor([0.229, 0.224, 0.225])[
        :, None, None
    ]
    with torch.inference_mode():
        maps = network(pixels[None])[0]
    rows, columns = np.unravel_index(maps.flatten(1).argmax(1).numpy(), maps.shape[1:])
    keypoints, scores = found(repository / "own_frame", picture(17))
    window = crop_window_around(Box(*BOX), 1.25)
    expected = np.stack([columns * 4 + 32, rows * 4], 1) / 256 * window.side + [window.left, window.top]
    np.testing.assert_allclose(scores, maps.amax((1, 2)).clip(0, 1).numpy(), atol=1e-4)
    assert np.abs(keypoints - expected).max() <= 1.01 / 256 * window.side + 1e-3


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    """Its network is exported and added as it stands there, and prints what stands there."""
    text = (ROOT / "docs" / "own_model.md").read_text().split("## Example")[1]
    (example,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (printed,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    (command,) = re.findall(r"^.venv-models/bin/deephar-models (add .*)", text, re.MULTILINE)
    subprocess.run([sys.executable, "-W", "ignore", "-c", example], cwd=tmp_path, check=True, capture_output=True)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    added = subprocess.run(
        [sys.executable, "-m", "models.cli", *command.split(), "--repository", str(tmp_path / "repository")],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert added.returncode == 0, added.stderr
    assert added.stdout.startswith(printed)
    assert "joints are where the person in the sample has them" in added.stderr
    assert "there would be" not in added.stderr
    assert config_of(tmp_path / "repository" / "baseline_frame").max_batch_size == 32
