"""Nodes of an ONNX graph, written one after another."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper


class Nodes:
    """Collects nodes and constants; each call returns the name of the tensor that it makes. Opset 13 and later."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._count = prefix, 0
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def op(self, kind: str, *inputs: str, **attributes: Any) -> str:
        """Adds a node with one output."""
        name = self._name(kind)
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name, **attributes))
        return name

    def named(self, tensor: str, name: str) -> None:
        """Gives a tensor a name of its own, that of an output."""
        self.nodes.append(helper.make_node("Identity", [tensor], [name], self._name("Identity")))

    def integers(self, *values: int) -> str:
        return self.constant(np.array(values, np.int64))

    def floats(self, *values: float) -> str:
        return self.constant(np.array(values, np.float32))

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def constant(self, values: NDArray[Any]) -> str:
        name = self._name("constant")
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def scaled(self, tensor: str, factor: float, shift: float) -> str:
        """Multiplies, then adds."""
        return self.op("Add", self.op("Mul", tensor, self.number(factor)), self.number(shift))

    def _name(self, kind: str) -> str:
        self._count += 1
        return f"{self._prefix}/{kind}_{self._count}"
