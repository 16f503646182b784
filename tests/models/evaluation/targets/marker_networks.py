"""Networks of a few nodes in a model repository, whose answers say which crops they were given.

A keypoint is the crop's mean brightness, and the action scores are shares of the mean feature, so that an answer that
comes in the wrong order, or for the wrong frame, is seen.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.export import triton_config
from models.files.checksums import sha256_of
from models.protocol.labels import PENN_ACTIONS

SIZE, JOINTS, FRAMES = 32, 16, 4
Pixels = NDArray[np.uint8]
Arrays = dict[str, NDArray[Any]]


def make(repository: Path, name: str = "marker", *, boxes: bool = False, max_batch: int = 8) -> None:
    """Writes `<name>_frame` and `<name>_clip`.

    Args:
        repository: The model repository.
        name: Of the model.
        boxes: Whether the clip network takes the boxes of the crops, as `lite`'s does.
        max_batch: Of both networks.
    """
    frame, clip = repository / f"{name}_frame", repository / f"{name}_clip"
    sha256 = _save(_frame(), frame)
    card = {
        "model": name,
        "description": "answers say what it was given",
        "layout": "pa16",
        "dims": 2,
        "crop": {"size": SIZE, "margin": 1.25},
        "clip": {"frames": FRAMES, "interval_s": 0.2, "labels": list(PENN_ACTIONS)},
        "weights": "made",
        "weights_sha256": sha256,
        "licence": "MIT",
    }
    outputs: dict[str, triton_config.Tensor] = {
        "keypoints": ("FP32", (JOINTS, 2)),
        "keypoint_scores": ("FP32", (JOINTS,)),
    }
    outputs["action_features"] = ("FP32", (2,))
    triton_config.write(frame, {"image": ("UINT8", (SIZE, SIZE, 3))}, outputs, max_batch, card)
    _save(_clip(boxes), clip)
    inputs: dict[str, triton_config.Tensor] = {"action_features": ("FP32", (FRAMES, 2))}
    if boxes:
        inputs["crop_boxes"] = ("FP32", (FRAMES, 4))
    triton_config.write(clip, inputs, {"action_scores": ("FP32", (len(PENN_ACTIONS),))}, max_batch)


def crops(count: int, first: int = 0) -> list[Pixels]:
    """Crops of one brightness each, all different up to 256."""
    return [np.full((SIZE, SIZE, 3), (first + number) % 256, np.uint8) for number in range(count)]


def brightness(crop: Pixels) -> float:
    return float(crop.mean()) / 255


def _frame() -> onnx.ModelProto:
    floats = TensorProto.FLOAT
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=floats),
        helper.make_node("ReduceMean", ["pixels", "axes"], ["sum"], keepdims=0),
        helper.make_node("Div", ["sum", "most"], ["mean"]),  # (B,)
        helper.make_node("Reshape", ["mean", "flat"], ["column"]),  # (B, 1)
        helper.make_node("Mul", ["column", "ones2"], ["action_features"]),
        helper.make_node("Mul", ["column", "ones"], ["keypoint_scores"]),
        helper.make_node("Reshape", ["column", "cube"], ["point"]),
        helper.make_node("Mul", ["point", "grid"], ["keypoints"]),
    ]
    constants: Arrays = {
        "axes": np.array([1, 2, 3], np.int64),
        "most": np.array(255, np.float32),
        "flat": np.array([-1, 1], np.int64),
        "cube": np.array([-1, 1, 1], np.int64),
        "ones2": np.ones(2, np.float32),
        "ones": np.ones(JOINTS, np.float32),
        "grid": np.ones((JOINTS, 2), np.float32),
    }
    outputs = [
        helper.make_tensor_value_info("keypoints", floats, ["batch", JOINTS, 2]),
        helper.make_tensor_value_info("keypoint_scores", floats, ["batch", JOINTS]),
        helper.make_tensor_value_info("action_features", floats, ["batch", 2]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["batch", SIZE, SIZE, 3])
    return _model(nodes, [image], outputs, constants)


def _clip(boxes: bool) -> onnx.ModelProto:
    floats, count = TensorProto.FLOAT, len(PENN_ACTIONS)
    inputs = [helper.make_tensor_value_info("action_features", floats, ["batch", FRAMES, 2])]
    nodes = [helper.make_node("ReduceMean", ["action_features", "axes"], ["mean"], keepdims=0)]
    if boxes:  # their width over their height, which is 1
        inputs.append(helper.make_tensor_value_info("crop_boxes", floats, ["batch", FRAMES, 4]))
        nodes += [
            helper.make_node("Split", ["crop_boxes"], ["corner", "side"], axis=2, num_outputs=2),
            helper.make_node("Split", ["side"], ["width", "height"], axis=2, num_outputs=2),
            helper.make_node("Div", ["width", "height"], ["ratio"]),
            helper.make_node("ReduceMean", ["ratio", "axes"], ["scale"], keepdims=0),
            helper.make_node("Mul", ["mean", "scale"], ["scaled"]),
        ]
    nodes += [
        helper.make_node("Reshape", ["scaled" if boxes else "mean", "flat"], ["column"]),
        helper.make_node("Mul", ["column", "shares"], ["action_scores"]),
    ]
    constants: Arrays = {
        "axes": np.array([1, 2], np.int64),
        "flat": np.array([-1, 1], np.int64),
        "shares": np.linspace(1, 0.1, count, dtype=np.float32),
    }
    output = helper.make_tensor_value_info("action_scores", floats, ["batch", count])
    return _model(nodes, inputs, [output], constants)


def _model(
    nodes: list[onnx.NodeProto],
    inputs: list[onnx.ValueInfoProto],
    outputs: list[onnx.ValueInfoProto],
    constants: Arrays,
) -> onnx.ModelProto:
    tensors = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "marker", inputs, outputs, tensors)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.checker.check_model(model, full_check=True)
    return model


def _save(model: onnx.ModelProto, folder: Path) -> str:
    file = folder / "1" / "model.onnx"
    file.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, file)
    return sha256_of(file)


if __name__ == "__main__":
    make(Path(sys.argv[1]))
    make(Path(sys.argv[1]), "boxed", boxes=True, max_batch=3)
