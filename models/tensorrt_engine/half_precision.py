"""Writes fp16 or bf16 into an fp32 graph, for a TensorRT that computes in the types that the graph names.

Between the first and the last multiplication with weights everything becomes 16 bit. Inputs, outputs, the nodes before
and after (scaling of pixels, coordinates, scores) and every soft-argmax stay fp32: they take no time, and 16 bits are
not enough for them. The published converters (onnxruntime.transformers.float16, onnxconverter-common) cannot keep such
regions: they pass numbers through fp16 between any two nodes that are to stay fp32.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference, version_converter

from models.tensorrt_engine.problem import EngineProblem

_TYPES = {"fp16": TensorProto.FLOAT16, "bf16": TensorProto.BFLOAT16}
_BF16_OPSET = 22  # from here on convolutions and pooling may be bf16
_HEAVY = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
_WEIGHTS = 4096  # numbers; a matrix product with fewer, or of two results, is an expectation and no layer
# Up to the next heavy node these stay fp32: small or large numbers, sums over whole maps.
_DELICATE = frozenset(
    """CumSum Div Einsum Exp Log LogSoftmax Pow Reciprocal ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean
    ReduceProd ReduceSum ReduceSumSquare Softmax Softplus Sqrt""".split()
)
_ALWAYS_FP32 = {"Resize": (1, 2)}  # operator: inputs that ONNX has as float only


def converted(model: onnx.ModelProto, precision: str) -> onnx.ModelProto:
    """Converts a prepared fp32 model to `precision`. Inputs and outputs keep their types.

    Raises:
        EngineProblem: Weights overflow, or the graph has subgraphs.
    """
    if precision == "fp32":
        return model
    if precision == "bf16":
        model = version_converter.convert_version(model, _BF16_OPSET)
    model = shape_inference.infer_shapes(model, strict_mode=True)
    _Conversion(model.graph, _TYPES[precision], precision).run()
    del model.graph.value_info[:]
    onnx.checker.check_model(model, full_check=True)
    return model


class _Conversion:
    """One graph. Each fp32 tensor exists as fp32, as 16 bit, or as both, joined by one Cast."""

    def __init__(self, graph: onnx.GraphProto, kind: int, precision: str) -> None:
        self._graph, self._kind, self._precision = graph, kind, precision
        described = (*graph.input, *graph.value_info, *graph.output)
        self._fp32 = {d.name for d in described if d.type.tensor_type.elem_type == TensorProto.FLOAT}
        self._constants = {t.name: t for t in graph.initializer if t.data_type == TensorProto.FLOAT}
        self._fp32 |= self._constants.keys()
        self._half: dict[str, str] = {}  # fp32 tensor -> its 16 bit form
        self._full: dict[str, str] = {}  # tensor that a 16 bit node made -> its fp32 form
        self._nodes: list[onnx.NodeProto] = []

    def run(self) -> None:
        outputs = {output.name for output in self._graph.output}
        for node, is_half in zip(list(self._graph.node), _half_nodes(self._graph, self._fp32), strict=True):
            copy = onnx.NodeProto.FromString(node.SerializeToString())
            kept = _ALWAYS_FP32.get(node.op_type, ()) if is_half else range(len(node.input))
            for i, name in enumerate(node.input):
                copy.input[i] = self._in_full(name) if i in kept else self._in_half(name)
            self._nodes.append(copy)
            if is_half:
                for i, name in enumerate(node.output):
                    if name in outputs:
                        copy.output[i] = self._half[name] = f"{name}_{self._precision}"
                        self._cast(copy.output[i], name, TensorProto.FLOAT)
                    else:
                        self._half[name] = name
                        self._full[name] = ""
                for attribute in copy.attribute:
                    if node.op_type == "Cast" and attribute.name == "to":
                        attribute.i = self._kind
        del self._graph.node[:]
        self._graph.node.extend(self._nodes)
        used = {name for node in self._nodes for name in node.input}
        kept_constants = [tensor for tensor in self._graph.initializer if tensor.name in used]
        del self._graph.initializer[:]
        self._graph.initializer.extend(kept_constants)

    def _in_half(self, name: str) -> str:
        if name not in self._fp32:
            return name
        if name not in self._half:
            self._half[name] = f"{name}_{self._precision}"
            if name in self._constants:
                self._graph.initializer.append(self._rounded(self._constants[name], self._half[name]))
            else:
                self._cast(name, self._half[name], self._kind)
        return self._half[name]

    def _in_full(self, name: str) -> str:
        if name not in self._full:
            return name
        if not self._full[name]:
            self._full[name] = f"{name}_fp32"
            self._cast(name, self._full[name], TensorProto.FLOAT)
        return self._full[name]

    def _cast(self, source: str, target: str, kind: int) -> None:
        self._nodes.append(helper.make_node("Cast", [source], [target], f"{target}_cast", to=kind))

    def _rounded(self, tensor: onnx.TensorProto, name: str) -> onnx.TensorProto:
        full = numpy_helper.to_array(tensor)
        with np.errstate(over="ignore"):
            half = full.astype(helper.tensor_dtype_to_np_dtype(self._kind))
        if np.isfinite(full).all() and not np.isfinite(half.astype(np.float32)).all():
            raise EngineProblem(f"Weights of {tensor.name} are too large for {self._precision}. Use --precision fp32.")
        return numpy_helper.from_array(half, name)


def _is_heavy(node: onnx.NodeProto, weights: set[str]) -> bool:
    return node.op_type in _HEAVY and (node.op_type != "MatMul" or bool(weights.intersection(node.input)))


def _half_nodes(graph: onnx.GraphProto, fp32: set[str]) -> list[bool]:
    """Whether each node computes in 16 bits."""
    heavy_before: set[str] = set()  # tensors with a heavy node among their ancestors
    heavy_after: set[str] = set()  # tensors with a heavy node among their descendants
    delicate: set[str] = set()  # tensors that come from a delicate node with no heavy one between
    weights = {tensor.name for tensor in graph.initializer if np.prod(tensor.dims) >= _WEIGHTS}
    for node in graph.node:
        if any(attribute.type == onnx.AttributeProto.GRAPH for attribute in node.attribute):
            raise EngineProblem(f"{node.op_type} holds a graph of its own; such networks need --precision fp32.")
        heavy = _is_heavy(node, weights)
        if heavy or heavy_before.intersection(node.input):
            heavy_before.update(node.output)
        if not heavy and (node.op_type in _DELICATE or delicate.intersection(node.input)):
            delicate.update(node.output)
    for node in reversed(graph.node):
        if _is_heavy(node, weights) or heavy_after.intersection(node.output):
            heavy_after.update(node.input)

    def is_half(node: onnx.NodeProto) -> bool:
        if not fp32.intersection(node.input) or not fp32.issuperset(node.output):
            return False
        if _is_heavy(node, weights):
            return True
        between = heavy_before.issuperset(node.output) and heavy_after.intersection(node.output)
        return bool(between) and not delicate.intersection(node.output)

    return [is_half(node) for node in graph.node]
