"""What is done to an ONNX graph before TensorRT gets it, run in ONNX Runtime against the file as it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper, shape_inference

from models.tensorrt_engine.comparison_inputs import clip_inputs, frame_inputs
from models.tensorrt_engine.half_precision import converted
from models.tensorrt_engine.prepared_graph import prepare
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.triton_models import models_in

REPOSITORY = Path(__file__).resolve().parent.parent.parent.parent / "model_repository"
KINDS = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
Arrays = dict[str, NDArray[Any]]


def prepared(name: str) -> onnx.ModelProto:
    model = onnx.load(REPOSITORY / name / "1" / "model.onnx")
    prepare(model)
    onnx.checker.check_model(model, full_check=True)
    return model


def outputs_of(model: onnx.ModelProto, inputs: Arrays) -> Arrays:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def of_file(name: str, inputs: Arrays) -> Arrays:
    return outputs_of(onnx.load(REPOSITORY / name / "1" / "model.onnx"), inputs)


@pytest.fixture(scope="module")
def pictures() -> Arrays:
    return frame_inputs(models_in(REPOSITORY)["lite"][0], 16)


@pytest.fixture(scope="module")
def inputs(pictures: Arrays) -> dict[str, Arrays]:
    features = of_file("lite_frame", pictures)["action_features"]
    return {"lite_frame": pictures, "lite_clip": clip_inputs(models_in(REPOSITORY)["lite"][1], features, 4)}


def kinds_in(model: onnx.ModelProto) -> dict[str, int]:
    inferred = shape_inference.infer_shapes(model, check_type=True, strict_mode=True)
    described = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    return {d.name: d.type.tensor_type.elem_type for d in described}


@pytest.mark.parametrize("name", ["lite_frame", "lite_clip"])
def test_preparing_does_not_change_a_number(name: str, inputs: dict[str, Arrays]) -> None:
    ours, theirs = outputs_of(prepared(name), inputs[name]), of_file(name, inputs[name])
    for output, expected in theirs.items():
        np.testing.assert_allclose(ours[output], expected, atol=1e-6)  # ONNX Runtime fuses other nodes in each


def test_a_uint8_input_goes_into_a_cast_and_weights_are_plain() -> None:
    """TensorRT's parser takes UINT8 into nothing else."""
    model = prepared("lite_frame")
    assert {node.op_type for node in model.graph.node if "image" in node.input} == {"Cast"}
    assert Counter(node.op_type for node in model.graph.node)["Cast"] == 1
    assert TensorProto.FLOAT16 not in {tensor.data_type for tensor in model.graph.initializer}


def test_computing_with_uint8_is_refused() -> None:
    given = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", 4])
    told = helper.make_tensor_value_info("sum", TensorProto.UINT8, ["batch", 4])
    graph = helper.make_graph([helper.make_node("Add", ["image", "image"], ["sum"])], "g", [given], [told])
    with pytest.raises(EngineProblem, match="Add computes with the UINT8 input image"):
        prepare(helper.make_model(graph))


@pytest.mark.parametrize(
    ("name", "largest"),
    [("lite_frame", {"keypoints": 4e-3, "keypoint_scores": 4e-3}), ("lite_clip", {"action_scores": 1e-3})],
)
def test_fp16_stays_near_fp32(name: str, largest: dict[str, float], inputs: dict[str, Arrays]) -> None:
    ours, theirs = outputs_of(converted(prepared(name), "fp16"), inputs[name]), of_file(name, inputs[name])
    for output, tolerance in largest.items():
        assert ours[output].dtype == np.float32
        assert 0 < np.abs(ours[output] - theirs[output]).max() <= tolerance


@pytest.mark.parametrize("precision", ["fp16", "bf16"])
@pytest.mark.parametrize("name", ["lite_frame", "lite_clip"])
def test_the_heavy_part_is_16_bit_and_the_delicate_part_is_not(name: str, precision: str) -> None:
    before = prepared(name)
    model = converted(prepared(name), precision)
    kinds = kinds_in(model)
    for told in (before.graph.input, before.graph.output):
        assert {d.name: kinds[d.name] for d in told} == {d.name: d.type.tensor_type.elem_type for d in told}
    of_operator = {
        o: {kinds[n.output[0]] for n in model.graph.node if n.op_type == o} for o in ("Conv", "Gemm", "Softmax")
    }
    assert of_operator["Conv"] == {KINDS[precision]}
    assert of_operator["Gemm"] <= {KINDS[precision]}
    assert of_operator["Softmax"] == {TensorProto.FLOAT}
    # No number takes the way through 16 bits and back between two nodes that are fp32.
    makers = {output: node for node in model.graph.node for output in node.output}
    casts = [node for node in model.graph.node if node.op_type == "Cast"]
    assert not [
        c for c in casts if c.input[0] in makers and makers[c.input[0]].op_type == "Cast" and c.input[0] != "image_fp32"
    ]
    weights = sum(len(t.raw_data) for t in model.graph.initializer)
    assert weights < 0.51 * sum(len(t.raw_data) for t in before.graph.initializer)


def test_fp32_is_left_alone() -> None:
    model = prepared("lite_clip")
    assert converted(model, "fp32") is model


def convolution(weight: float) -> onnx.ModelProto:
    weights = numpy_helper.from_array(np.full((1, 1, 1, 1), weight, np.float32), "w")
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 2, 2])
    told = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1, 2, 2])
    graph = helper.make_graph([helper.make_node("Conv", ["x", "w"], ["y"])], "g", [given], [told], [weights])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_an_output_straight_from_a_convolution_stays_fp32() -> None:
    inputs: Arrays = {"x": np.ones((3, 1, 2, 2), np.float32)}
    np.testing.assert_array_equal(outputs_of(converted(convolution(3.0), "fp16"), inputs)["y"], inputs["x"] * 3)


def test_weights_too_large_for_fp16_are_told() -> None:
    with pytest.raises(EngineProblem, match="too large for fp16"):
        converted(convolution(1e6), "fp16")
    converted(convolution(1e6), "bf16")
