"""Rewrites the exporter's ONNX for TensorRT. The numbers do not change."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from models.tensorrt_engine.problem import EngineProblem

# Operators that move values and compute nothing.
_MOVING = frozenset({"Flatten", "Gather", "Identity", "Reshape", "Slice", "Squeeze", "Transpose", "Unsqueeze"})


def prepare(model: onnx.ModelProto) -> None:
    """Changes `model` in place: weights to fp32, constants to initializers, casts directly after UINT8 inputs.

    Raises:
        EngineProblem: An operator computes with a UINT8 input.
    """
    _constants_become_initializers(model.graph)
    _unpack_weights(model.graph)
    for given in model.graph.input:
        if given.type.tensor_type.elem_type == TensorProto.UINT8:
            _cast_first(model.graph, given.name)
    del model.graph.value_info[:]


def _constants_become_initializers(graph: onnx.GraphProto) -> None:
    others = []
    for node in graph.node:
        values = {attribute.name: attribute for attribute in node.attribute}
        if node.op_type == "Constant" and "value" in values:
            tensor = graph.initializer.add()
            tensor.CopyFrom(values["value"].t)
            tensor.name = node.output[0]
        else:
            others.append(node)
    _replace_nodes(graph, others)


def _unpack_weights(graph: onnx.GraphProto) -> None:
    """Weights are stored as fp16 with a Cast. TensorRT takes them for constants only as plain fp32."""
    stored = {tensor.name: tensor for tensor in graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    others = []
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in stored and _target(node) == TensorProto.FLOAT:
            full = numpy_helper.to_array(stored[node.input[0]]).astype(np.float32)
            graph.initializer.append(numpy_helper.from_array(full, node.output[0]))
        else:
            others.append(node)
    _replace_nodes(graph, others)
    used = {name for node in graph.node for name in node.input}
    kept = [tensor for tensor in graph.initializer if tensor.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)


def _cast_first(graph: onnx.GraphProto, given: str) -> None:
    """TensorRT allows nothing but a Cast on UINT8 inputs, not even a Transpose (NVIDIA/TensorRT issue 3985)."""
    names = {given: f"{given}_fp32"}  # new names of renamed tensors
    were_uint8 = {given}
    others = [helper.make_node("Cast", [given], [names[given]], f"{given}_cast_first", to=TensorProto.FLOAT)]
    for node in graph.node:
        was_uint8 = bool(were_uint8.intersection(node.input))
        for i, name in enumerate(node.input):
            node.input[i] = names.get(name, name)
        if was_uint8 and node.op_type == "Cast" and _target(node) == TensorProto.FLOAT:
            names[node.output[0]] = node.input[0]
            continue
        if was_uint8 and node.op_type in _MOVING:
            were_uint8.update(node.output)
        elif was_uint8 and node.op_type != "Cast":
            raise EngineProblem(
                f"{node.op_type} computes with the UINT8 input {given}; TensorRT cannot. "
                "Cast the input to fp32 in the network and export it again."
            )
        others.append(node)
    _replace_nodes(graph, others)


def _target(cast: onnx.NodeProto) -> int:
    return next(attribute.i for attribute in cast.attribute if attribute.name == "to")


def _replace_nodes(graph: onnx.GraphProto, nodes: list[onnx.NodeProto]) -> None:
    copies = [onnx.NodeProto.FromString(node.SerializeToString()) for node in nodes]
    del graph.node[:]
    graph.node.extend(copies)
