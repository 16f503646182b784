"""A network with what comes before and after it in one graph: crops in, keypoints and scores out."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from models.own.decoding import Decoder
from models.own.network_file import PREFIX, WHOLE_NUMBERS, Network
from models.own.nodes import Nodes
from models.own.options import Decoding, Geometry, Pixels
from models.own.outputs import Kind
from service.networks.tensors import IMAGE, KEYPOINT_SCORES, KEYPOINTS


def wrapped(
    network: Network,
    geometry: Geometry,
    pixels: Pixels,
    kind: Kind,
    decoding: Decoding,
    joints: Sequence[int] | None,
    shape: tuple[int, int],
) -> onnx.ModelProto:
    """Returns the frame network.

    Args:
        network: As it was read.
        geometry: Of the crop and the network's input.
        pixels: How pixels are scaled.
        kind: Of the network's outputs.
        decoding: How they are read, with nothing left to `auto`.
        joints: Channels that are the layout's joints; None: all, in their order.
        shape: Joints and coordinates of the keypoints.
    """
    before, after = Nodes("input"), Nodes("output")
    fed = prepared(before, network, geometry, pixels)
    # The network's own input becomes a tensor between nodes.
    before.named(fed, network.input)
    decoder = Decoder(after, geometry, decoding, joints)
    keypoints, scores = decoder.decode(kind, [PREFIX + name for name in kind.outputs])
    after.named(keypoints, KEYPOINTS)
    after.named(scores, KEYPOINT_SCORES)
    side = geometry.side
    graph = helper.make_graph(
        [*before.nodes, *network.model.graph.node, *after.nodes],
        "frame network",
        [helper.make_tensor_value_info(IMAGE, TensorProto.UINT8, ["batch", side, side, 3])],
        [
            helper.make_tensor_value_info(KEYPOINTS, TensorProto.FLOAT, ["batch", *shape]),
            helper.make_tensor_value_info(KEYPOINT_SCORES, TensorProto.FLOAT, ["batch", shape[0]]),
        ],
        [*before.constants, *network.model.graph.initializer, *after.constants],
    )
    graph.sparse_initializer.extend(network.model.graph.sparse_initializer)
    return helper.make_model(
        graph,
        opset_imports=network.model.opset_import,
        ir_version=network.model.ir_version,
        producer_name="deephar-models",
    )


def prepared(n: Nodes, network: Network, geometry: Geometry, pixels: Pixels) -> str:
    """Writes what comes before the network. Returns the tensor that is its input."""
    value = n.op("Cast", IMAGE, to=TensorProto.FLOAT)
    top, left, rows, columns = geometry.top, geometry.left, geometry.rows, geometry.columns
    if geometry.fit == "crop" and (top or left or rows != columns):
        value = n.op("Slice", value, n.integers(top, left), n.integers(top + rows, left + columns), n.integers(1, 2))
    elif rows != columns:
        below, right = rows - geometry.side + top, columns - geometry.side + left
        value = n.op("Pad", value, n.integers(0, -top, -left, 0, 0, below, right, 0))
    if pixels.bgr:
        value = n.op("Gather", value, n.integers(2, 1, 0), axis=3)
    if network.element not in WHOLE_NUMBERS:
        factor, shift = pixels.factor_and_shift()
        value = n.op("Add", n.op("Mul", value, n.floats(*factor)), n.floats(*shift))
    if not network.channels_last:
        value = n.op("Transpose", value, perm=[0, 3, 1, 2])
    return value if network.element == TensorProto.FLOAT else n.op("Cast", value, to=network.element)
