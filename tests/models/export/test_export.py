"""The exporter, and what it has committed to the model repository."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from models import cli
from models.export import onnx_file, triton_config
from models.export.command import CannotExport, export
from models.weights.store import import_file
from tests.models.made_weights import ACTION_MODELS, MODELS, made_file

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent / "model_repository"
# Operators with a TensorRT converter; the exporter must not leave this list.
TENSORRT_OPERATORS = set(
    """Add AveragePool BatchNormalization Cast Clip Concat Constant Conv DepthToSpace Div Einsum Expand Flatten Gather
    Exp GatherElements GatherND GreaterOrEqual TopK Where
    Gemm GlobalAveragePool Identity Log MatMul Max MaxPool Min Mul Neg Pad Pow Reciprocal ReduceMax ReduceMean ReduceMin
    ReduceSum
    Relu Reshape Resize Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tile Transpose Unsqueeze""".split()
)


class Small(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.convolution(x).relu().mean((2, 3))


def pictures(batch: int) -> tuple[torch.Tensor, ...]:
    return (torch.rand(batch, 3, 16, 16),)


def test_export_keeps_the_numbers_halves_the_weights_and_forgets_where_it_ran(tmp_path: Path) -> None:
    file = tmp_path / "1" / "model.onnx"
    digest = onnx_file.export(Small().eval(), pictures, ("x",), ("y",), file)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    model = onnx.load(file)
    kinds = {t.data_type for t in model.graph.initializer if np.prod(t.dims) >= 64}
    assert kinds == {onnx.TensorProto.FLOAT16}
    assert str(Path(__file__).parent).encode() not in file.read_bytes()
    assert b".py" not in file.read_bytes()


def test_an_export_that_differs_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    network = Small().eval()
    onnx_file.export(network, pictures, ("x",), ("y",), file)
    model = onnx.load(file)
    with torch.no_grad():
        network.convolution.weight += 0.5
    with pytest.raises(onnx_file.DiffersFromTorch, match="differs"):
        onnx_file.check(model, network, pictures, ("y",), 1e-2)


def test_the_configuration_is_tritons_own(tmp_path: Path) -> None:
    folder = tmp_path / "some_frame"
    triton_config.write(folder, {"image": ("UINT8", (8, 8, 3))}, {"y": ("FP32", (4,))}, 16, {"model": "some"})
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == ("some_frame", "onnxruntime", 16)
    assert config.input[0].data_type == model_config_pb2.TYPE_UINT8
    assert config.HasField("dynamic_batching")
    assert json.loads(config.parameters["card"].string_value) == {"model": "some"}


NETWORKS = ["lite_frame", "lite_clip", "person"]
MADE = [
    f"{model}_{part}"
    for model in (*MODELS, "ntu@2", "penn@3")
    for part in (["frame", "clip"] if model.partition("@")[0] in ACTION_MODELS and model != "penn@3" else ["frame"])
]


@pytest.mark.networks
@pytest.mark.parametrize("name", MADE)
def test_deephars_networks_use_operators_that_tensorrt_has(name: str, made_repository: Path) -> None:
    has_only_tensorrt_operators(made_repository / name)


@pytest.mark.networks
@pytest.mark.parametrize("name", MADE)
def test_deephars_networks_are_what_their_configuration_says(name: str, made_repository: Path) -> None:
    is_what_its_configuration_says(made_repository / name)


@pytest.mark.networks
def test_nothing_else_was_exported(made_repository: Path) -> None:
    assert {folder.name for folder in made_repository.iterdir()} == {*MADE, *NETWORKS}


@pytest.mark.parametrize("name", NETWORKS)
def test_committed_networks_use_operators_that_tensorrt_has(name: str) -> None:
    has_only_tensorrt_operators(REPOSITORY / name)


def has_only_tensorrt_operators(folder: Path) -> None:
    model = onnx.load(folder / "1" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} <= TENSORRT_OPERATORS


@pytest.mark.parametrize("name", NETWORKS)
def test_committed_networks_are_what_their_configuration_says(name: str) -> None:
    is_what_its_configuration_says(REPOSITORY / name)


def is_what_its_configuration_says(folder: Path) -> None:
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert config.name == folder.name
    session = onnxruntime.InferenceSession(str(folder / "1" / "model.onnx"))
    types = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32"}
    for said, real in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        described = {(t.name, model_config_pb2.DataType.Name(t.data_type), tuple(t.dims)) for t in said}
        assert described == {(t.name, types[t.type], tuple(t.shape[1:])) for t in real}
    kinds = {"TYPE_UINT8": np.uint8, "TYPE_FP32": np.float32}
    for batch in (1, 3):
        feed = {
            t.name: np.ones((batch, *t.dims), kinds[model_config_pb2.DataType.Name(t.data_type)]) for t in config.input
        }
        for output in session.run(None, feed):
            assert len(output) == batch
            assert np.isfinite(output).all()


def committed_card(name: str) -> dict[str, Any]:
    config = text_format.Parse((REPOSITORY / name / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    card: dict[str, Any] = json.loads(config.parameters["card"].string_value)
    return card


@pytest.mark.parametrize("name", ["lite_frame", "person"])
def test_the_card_names_the_committed_weights(name: str) -> None:
    file = REPOSITORY / name / "1" / "model.onnx"
    assert committed_card(name)["weights_sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()


def test_the_card_promises_actions_and_depth() -> None:
    card = committed_card("lite_frame")
    assert len(card["clip"]["labels"]) == 15
    assert (card["dims"], card["depth_scale_mm"], card["lift"]["stature_mm"]) == (3, 4000, 1700)


@pytest.mark.parametrize(("names", "megabytes"), [("lite_frame", 10), ("person", 5), ("lite_*", 12)])
def test_the_committed_networks_are_small(names: str, megabytes: int) -> None:
    assert sum(f.stat().st_size for f in REPOSITORY.glob(f"{names}/1/model.onnx")) <= megabytes * 10**6


def test_an_export_without_weights_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(CannotExport, match="deephar-models weights pull mpii"):
        export("mpii", tmp_path / "repository", tmp_path)
    with pytest.raises(CannotExport, match="8 prediction blocks"):
        export("mpii", tmp_path / "repository", tmp_path, blocks=9)
    assert not (tmp_path / "repository").exists()


def test_an_export_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_file("mpii", made_file("mpii", tmp_path), tmp_path, check_content=False)
    repository = tmp_path / "repository"
    served = repository / "mpii@1_frame" / "config.pbtxt"
    served.parent.mkdir(parents=True)
    served.write_text("what is served")

    def fail(*_: object) -> None:
        raise onnx_file.DiffersFromTorch("keypoints differ")

    monkeypatch.setattr(onnx_file, "export", fail)
    with pytest.raises(onnx_file.DiffersFromTorch):
        export("mpii", repository, tmp_path, blocks=1)
    assert served.read_text() == "what is served"
    assert [path.name for path in repository.iterdir()] == ["mpii@1_frame"]


@pytest.mark.networks
def test_an_export_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    import_file("mpii", made_file("mpii", tmp_path), tmp_path, check_content=False)
    repository = tmp_path / "repository"
    served = repository / "mpii@1_frame" / "config.pbtxt"
    served.parent.mkdir(parents=True)
    served.write_text("what is served")
    assert export("mpii", repository, tmp_path, blocks=1, precision="fp16") == "mpii@1"
    is_what_its_configuration_says(served.parent)
    card = json.loads(
        text_format.Parse(served.read_text(), model_config_pb2.ModelConfig()).parameters["card"].string_value
    )
    assert card["blocks"] == {"used": 1, "all": 8}
    assert "fp16" in card["precision"]
    assert "unchecked" in card["weights"]


def test_a_repository_that_is_no_folder_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import_file("mpii", made_file("mpii", tmp_path), tmp_path, check_content=False)
    (tmp_path / "repository").write_text("a file")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DEEPHAR_CACHE", str(tmp_path))
        patch.setattr(onnx_file, "export", lambda *_: "")  # what comes before costs ten seconds
        assert cli.main(["export", "mpii", "--blocks", "1", "--repository", str(tmp_path / "repository")]) == 1
    assert "repository: File exists" in capsys.readouterr().err
