"""Writes a model repository of small networks with known answers (`known_answers.py`), some with wrong cards.

    .venv-models/bin/python -m tests.integration.known_networks FOLDER

Of a crop's mean colour, red moves z, green are the action features (and so choose the action), blue is every score.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from models.export import triton_config
from tests.integration import known_answers as known

Array = NDArray[np.generic]
CARD: dict[str, object] = {"description": "known answers", "weights": "none", "weights_sha256": "", "licence": "MIT"}
CLIP_RULE = {"frames": known.FRAMES, "interval_s": known.INTERVAL_S, "labels": known.LABELS}


def main(repository: Path) -> None:
    depth: dict[str, object] = {"depth_scale_mm": known.DEPTH_SCALE_MM}
    clip: dict[str, object] = {"clip": CLIP_RULE}
    frame_network(repository, "known3d", "pa20", 20, 3, known.SIZE_3D, known.MAX_BATCH_3D, {"dims": 3} | depth | clip)
    clip_network(repository / "known3d_clip")
    frame_network(repository, "known2d", "pa16", 16, 2, 64, 4, {"dims": 2})
    frame_network(repository, "nodepth", "pa17", 17, 3, 64, 4, {"dims": 3})
    frame_network(repository, "twodepth", "pa16", 16, 2, 64, 4, {"dims": 2} | depth)
    frame_network(repository, "misshapen", "pa16", 16, 2, 64, 4, {"dims": 3} | depth)


def frame_network(
    repository: Path, model: str, layout: str, joints: int, dims: int, size: int, batch: int, card: dict[str, object]
) -> None:
    folder = repository / f"{model}_frame"
    still = known.keypoints_crop(joints, dims)[None]
    nodes = [
        helper.make_node("Cast", ["image"], ["pixels"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["pixels", "rows_and_columns"], ["mean"], keepdims=0),
        helper.make_node("Div", ["mean", "white"], ["colour"]),
        helper.make_node("Split", ["colour"], ["red", "green", "blue"], axis=1, num_outputs=3),
        helper.make_node("Unsqueeze", ["red", "last_axis"], ["red_of_points"]),
        helper.make_node("Mul", ["red_of_points", "per_red"], ["moved"]),
        helper.make_node("Add", ["moved", "still"], ["keypoints"]),
        helper.make_node("Mul", ["blue", "one_a_joint"], ["keypoint_scores"]),
    ]
    constants: dict[str, Array] = {
        "rows_and_columns": np.array([1, 2]),
        "white": np.array(255, np.float32),
        "last_axis": np.array([2]),
        "still": still,
        "per_red": known.keypoints_crop(joints, dims, red=1.0)[None] - still,
        "one_a_joint": np.ones((1, joints), np.float32),
    }
    outputs = {"keypoints": (joints, dims), "keypoint_scores": (joints,)}
    if "clip" in card:
        nodes.append(helper.make_node("Expand", ["green", "one_a_feature"], ["action_features"]))
        constants["one_a_feature"] = np.array([1, known.FEATURES])
        outputs["action_features"] = (known.FEATURES,)
    write(folder, nodes, constants, {"image": (TensorProto.UINT8, (size, size, 3))}, outputs)
    triton_config.write(
        folder,
        {"image": ("UINT8", (size, size, 3))},
        {name: ("FP32", shape) for name, shape in outputs.items()},
        batch,
        CARD | {"model": model, "layout": layout, "crop": {"size": size, "margin": known.MARGIN}} | card,
    )


def clip_network(folder: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["action_features", "frames_and_features"], ["green"], keepdims=0),
        helper.make_node("Unsqueeze", ["green", "last_axis"], ["green_of_labels"]),
        helper.make_node("Sub", ["green_of_labels", "green_a_label"], ["distance"]),
        helper.make_node("Mul", ["distance", "distance"], ["squared"]),
        helper.make_node("Mul", ["squared", "steepness"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["action_scores"], axis=1),
    ]
    count = len(known.LABELS)
    constants: dict[str, Array] = {
        "frames_and_features": np.array([1, 2]),
        "last_axis": np.array([1]),
        "green_a_label": np.linspace(0, 1, count, dtype=np.float32)[None],
        "steepness": np.array(-1e4, np.float32),
    }
    shape = (known.FRAMES, known.FEATURES)
    write(
        folder,
        nodes,
        constants,
        {"action_features": (TensorProto.FLOAT, shape)},
        {"action_scores": (count,)},
    )
    triton_config.write(folder, {"action_features": ("FP32", shape)}, {"action_scores": ("FP32", (count,))}, 32)


def write(
    folder: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, Array],
    inputs: dict[str, tuple[int, tuple[int, ...]]],
    outputs: dict[str, tuple[int, ...]],
) -> None:
    graph = helper.make_graph(
        nodes,
        folder.name,
        [helper.make_tensor_value_info(name, kind, ("batch", *shape)) for name, (kind, shape) in inputs.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *shape)) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    onnx.checker.check_model(model, full_check=True)
    (folder / "1").mkdir(parents=True)
    onnx.save(model, folder / "1" / "model.onnx")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
