"""The exporter, and what it has committed to the model repository."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the models' environment has torch, the gateway's has not")

import onnx  # noqa: E402
import onnxruntime  # noqa: E402
from google.protobuf import text_format  # noqa: E402
from tritonclient.grpc import model_config_pb2  # noqa: E402

from models import onnx_export, triton_config  # noqa: E402

REPOSITORY = Path(__file__).resolve().parent.parent.parent / "model_repository"
NETWORKS = ["lite_frame", "lite_clip"]
# Operators with a TensorRT converter; the exporter must not leave this list.
TENSORRT_OPERATORS = set(
    """Add AveragePool BatchNormalization Cast Clip Concat Constant Conv DepthToSpace Div Einsum Expand Flatten Gather
    Gemm GlobalAveragePool Identity Log MatMul Max MaxPool Mul Neg Pad Pow Reciprocal ReduceMax ReduceMean ReduceSum Relu
    Reshape Resize Shape Sigmoid Slice Softmax Split Sqrt Squeeze Sub Tile Transpose Unsqueeze""".split()
)


class Small(torch.nn.Module):  # type: ignore[misc, name-defined]
    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 32, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:  # type: ignore[name-defined]
        return self.convolution(x).relu().mean((2, 3))


def pictures(batch: int) -> tuple[torch.Tensor, ...]:  # type: ignore[name-defined]
    return (torch.rand(batch, 3, 16, 16),)


def test_export_keeps_the_numbers_halves_the_weights_and_forgets_where_it_ran(tmp_path: Path) -> None:
    file = tmp_path / "1" / "model.onnx"
    digest = onnx_export.export(Small().eval(), pictures, ("x",), ("y",), file)
    assert digest == hashlib.sha256(file.read_bytes()).hexdigest()
    model = onnx.load(file)
    kinds = {t.data_type for t in model.graph.initializer if np.prod(t.dims) >= 64}
    assert kinds == {onnx.TensorProto.FLOAT16}
    assert str(Path(__file__).parent).encode() not in file.read_bytes()
    assert b".py" not in file.read_bytes()


def test_an_export_that_differs_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    network = Small().eval()
    onnx_export.export(network, pictures, ("x",), ("y",), file)
    model = onnx.load(file)
    with torch.no_grad():
        network.convolution.weight += 0.5
    with pytest.raises(onnx_export.DiffersFromTorch, match="differs"):
        onnx_export.check(model, network, pictures, ("y",), 1e-2)


def test_the_configuration_is_tritons_own(tmp_path: Path) -> None:
    folder = tmp_path / "some_frame"
    triton_config.write(folder, {"image": ("UINT8", (8, 8, 3))}, {"y": ("FP32", (4,))}, 16, {"model": "some"})
    config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    assert (config.name, config.backend, config.max_batch_size) == ("some_frame", "onnxruntime", 16)
    assert config.input[0].data_type == model_config_pb2.TYPE_UINT8
    assert config.HasField("dynamic_batching")
    assert json.loads(config.parameters["card"].string_value) == {"model": "some"}


@pytest.mark.parametrize("name", NETWORKS)
def test_committed_networks_use_operators_that_tensorrt_has(name: str) -> None:
    model = onnx.load(REPOSITORY / name / "1" / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert {node.op_type for node in model.graph.node} <= TENSORRT_OPERATORS


@pytest.mark.parametrize("name", NETWORKS)
def test_committed_networks_are_what_their_configuration_says(name: str) -> None:
    config = text_format.Parse((REPOSITORY / name / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    session = onnxruntime.InferenceSession(str(REPOSITORY / name / "1" / "model.onnx"))
    types = {"tensor(uint8)": "TYPE_UINT8", "tensor(float)": "TYPE_FP32"}
    for said, real in ((config.input, session.get_inputs()), (config.output, session.get_outputs())):
        described = {(t.name, model_config_pb2.DataType.Name(t.data_type), tuple(t.dims)) for t in said}
        assert described == {(t.name, types[t.type], tuple(t.shape[1:])) for t in real}
    kinds = {"TYPE_UINT8": np.uint8, "TYPE_FP32": np.float32}
    for batch in (1, 7):
        feed = {
            t.name: np.ones((batch, *t.dims), kinds[model_config_pb2.DataType.Name(t.data_type)]) for t in config.input
        }
        for output in session.run(None, feed):
            assert len(output) == batch
            assert np.isfinite(output).all()


def test_the_card_names_the_committed_weights() -> None:
    config = text_format.Parse((REPOSITORY / "lite_frame" / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    card = json.loads(config.parameters["card"].string_value)
    assert card["weights_sha256"] == hashlib.sha256((REPOSITORY / "lite_frame/1/model.onnx").read_bytes()).hexdigest()
    assert len(card["clip"]["labels"]) == 15


def test_the_committed_model_is_small() -> None:
    assert sum(f.stat().st_size for f in REPOSITORY.glob("lite_*/1/model.onnx")) <= 12 * 2**20
