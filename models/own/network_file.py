"""A user's ONNX file, read and brought into a form that post-processing can be added to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import TensorProto, compose, external_data_helper, inliner, numpy_helper, version_converter

from models.own.problem import CannotAdd

OLDEST_OPSET = 13  # whose operators the post-processing uses
IR_VERSION = 8
PREFIX = "network/"
PIXEL_TYPES = {
    TensorProto.FLOAT: "float32",
    TensorProto.FLOAT16: "float16",
    TensorProto.DOUBLE: "float64",
    TensorProto.UINT8: "uint8",
    TensorProto.INT8: "int8",
    TensorProto.INT32: "int32",
}
WHOLE_NUMBERS = {TensorProto.UINT8, TensorProto.INT32}


@dataclass(frozen=True)
class Network:
    """A network that takes one batch of pictures.

    Attributes:
        model: With names that begin with `PREFIX`, and any batch.
        input: Name of the input.
        outputs: Names of the outputs in the file, in their order.
        element: Type of the input's values, ONNX's number.
        channels_last: Whether pictures are (B, rows, columns, 3).
        rows: Of the input; None where the file leaves it open.
        columns: Likewise.
        fixed_batch: The batch that the file is made for; None: any.
    """

    model: onnx.ModelProto
    input: str
    outputs: tuple[str, ...]
    element: int
    channels_last: bool
    rows: int | None
    columns: int | None
    fixed_batch: int | None


def read(file: Path) -> Network:
    """Reads a network and checks that it can be wrapped.

    Raises:
        CannotAdd: It cannot; the text says why and what to do.
        OSError: The file cannot be read.
    """
    model = _standard(_with_its_data(file), file)
    model = _recent(model, file)
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [given for given in model.graph.input if given.name not in weights]  # old files list weights too
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    _is_picture(inputs, file)
    model.ir_version = max(model.ir_version, IR_VERSION)
    model = compose.add_prefix(model, PREFIX)
    picture = model.graph.input[0]
    sizes = [dim.dim_value or None for dim in picture.type.tensor_type.shape.dim]
    channels_last = sizes[3] == 3 and sizes[1] != 3
    rows, columns = sizes[1:3] if channels_last else sizes[2:4]
    return Network(
        model,
        picture.name,
        tuple(output.name.removeprefix(PREFIX) for output in model.graph.output),
        picture.type.tensor_type.elem_type,
        channels_last,
        rows,
        columns,
        sizes[0],
    )


def _with_its_data(file: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(file, load_external_data=False)
    except DecodeError:
        model = onnx.ModelProto()
    if not model.graph.node:
        raise CannotAdd(f"{file} is no ONNX file. A PyTorch network becomes one by torch.onnx.export")
    elsewhere = [tensor for tensor in model.graph.initializer if external_data_helper.uses_external_data(tensor)]
    names = sorted({entry.value for tensor in elsewhere for entry in tensor.external_data if entry.key == "location"})
    missing = [name for name in names if not (file.parent / name).is_file()]
    if missing:
        raise CannotAdd(f"the weights of {file.name} lie in files of their own: put {', '.join(missing)} beside it")
    try:
        external_data_helper.load_external_data_for_model(model, str(file.parent))
    except (onnx.checker.ValidationError, ValueError) as error:
        raise CannotAdd(f"the weights beside {file.name} cannot be read: {_first_line(error)}") from None
    return model


def _standard(model: onnx.ModelProto, file: Path) -> onnx.ModelProto:
    """Returns the network in ONNX's own operators alone."""
    if model.functions:
        model = inliner.inline_local_functions(model)
    strange = sorted(
        {f"{node.domain}.{node.op_type}" for node in model.graph.node if node.domain not in ("", "ai.onnx")}
    )
    if strange:
        raise CannotAdd(
            f"{file.name} has operators that are not ONNX's own, which no backend of Triton here knows: "
            f"{', '.join(strange)}. Export it again without them (and without optimising or quantising for one runtime)"
        )
    return model


def _recent(model: onnx.ModelProto, file: Path) -> onnx.ModelProto:
    opset = next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)
    if opset >= OLDEST_OPSET:
        return model
    try:
        return version_converter.convert_version(model, OLDEST_OPSET)
    except Exception as error:
        raise CannotAdd(
            f"{file.name} has opset {opset}, and cannot be converted to {OLDEST_OPSET}: {_first_line(error)}. "
            "Export it again, with opset_version=17"
        ) from None


def _is_picture(inputs: list[onnx.ValueInfoProto], file: Path) -> None:
    told = ", ".join(
        f"{one.name} ({', '.join(_axis(dim) for dim in one.type.tensor_type.shape.dim)})" for one in inputs
    )
    wanted = f"{file.name} must have one input, pictures (B, 3, rows, columns) or (B, rows, columns, 3). It has: {told}"
    if len(inputs) != 1:
        raise CannotAdd(wanted)
    tensor = inputs[0].type.tensor_type
    axes = [_axis(dim) for dim in tensor.shape.dim]
    if len(axes) != 4 or not ({axes[1], axes[3]} & {"3"} or not (axes[1].isdigit() or axes[3].isdigit())):
        raise CannotAdd(wanted)
    if tensor.elem_type not in PIXEL_TYPES:
        raise CannotAdd(f"the input {inputs[0].name} has values of a type that pixels cannot be made into")


def _axis(dim: onnx.TensorShapeProto.Dimension) -> str:
    return str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?"


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def with_any_batch(model: onnx.ModelProto) -> onnx.ModelProto:
    """Returns a copy in which shapes that are written out for a batch of 1 take any; whether it works must be tried."""
    changed = onnx.ModelProto()
    changed.CopyFrom(model)
    graph = changed.graph
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
    for number, node in enumerate(graph.node):
        if node.op_type not in ("Reshape", "Expand") or node.input[1] not in arrays:
            continue
        shape = arrays[node.input[1]].copy()
        if shape.ndim != 1 or len(shape) < 2 or shape[0] != 1:
            continue
        if node.op_type == "Reshape":
            shape[0] = -1 if -1 not in shape else 0
            name = f"{PREFIX}any_batch_{number}"
            graph.initializer.append(numpy_helper.from_array(shape, name))
            node.input[1] = name
    return changed
