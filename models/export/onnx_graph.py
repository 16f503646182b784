"""Changes of ONNX graphs that need no torch: origins removed, weights stored as fp16."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

_SMALL = 64  # numbers; smaller arrays (shapes, constants) stay as they are


def forget_origins(model: onnx.ModelProto) -> None:
    """Removes the exporter's metadata: it names files of the machine that it ran on."""
    for part in (*model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output, model.graph):
        part.doc_string = ""
        del part.metadata_props[:]


def store_as_fp16(model: onnx.ModelProto) -> None:
    """Stores large fp32 weights as fp16, with a cast back to fp32 in the graph: half the file."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= _SMALL:
            full = numpy_helper.to_array(tensor)
            name = tensor.name
            tensor.CopyFrom(numpy_helper.from_array(full.astype(np.float16), f"{name}_fp16"))
            casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], f"{name}_cast", to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
