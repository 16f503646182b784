"""Networks run in ONNX Runtime: what their outputs are, and whether the added nodes do what they should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper

from models.own.decoding import score_column
from models.own.network_file import PIXEL_TYPES, PREFIX, WHOLE_NUMBERS, Network, with_any_batch
from models.own.options import Decoding, Geometry, Pixels
from models.own.outputs import Coordinates, Kind
from models.own.problem import CannotAdd
from models.own.reference import decoded, network_input
from service.networks.tensors import IMAGE, KEYPOINT_SCORES, KEYPOINTS

Array = NDArray[Any]
LARGEST_PROBABILITY = 1.5  # heatmaps are trained to peak at 1, and overshoot
LARGEST_SHARE = 1.5  # coordinates beyond are pixels
TOLERANCE_PX = 0.01  # of the square crop's pixels
SAME = 2e-3  # difference of outputs in two batches, over the largest value


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """Raises `CannotAdd` where ONNX Runtime does not take the network."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised too
    try:
        return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except ValueError:
        raise CannotAdd("the network is larger than 2 GB, which is more than one ONNX file holds") from None
    except Exception as error:  # of pybind: without a common base
        raise CannotAdd(f"ONNX Runtime does not take the network: {_short(error)}") from None


class Raw:
    """The network as it was read, on its own."""

    def __init__(self, network: Network) -> None:
        if network.fixed_batch not in (None, 1):
            raise CannotAdd(
                f"the network is made for batches of {network.fixed_batch}; export it for 1, or for any batch"
            )
        self._network, self._session = network, session(network.model)

    def run(self, crop: NDArray[np.uint8], geometry: Geometry, pixels: Pixels) -> dict[str, Array]:
        """Returns all outputs for one crop.

        Raises:
            CannotAdd: ONNX Runtime cannot compute them.
        """
        network = self._network
        image = network_input(crop, geometry, pixels, scaled=network.element not in WHOLE_NUMBERS)
        image = image if network.channels_last else image.transpose(2, 0, 1)
        feed = {network.input: np.ascontiguousarray(image[None], PIXEL_TYPES[network.element])}
        try:
            values = self._session.run(None, feed)
        except Exception as error:
            raise CannotAdd(f"ONNX Runtime cannot run the network on a picture: {_short(error)}") from None
        if not all(np.isfinite(value).all() for value in values if value.dtype.kind == "f"):
            raise CannotAdd("the network's outputs for the sample are not all numbers (NaN or infinite)")
        return dict(zip(network.outputs, values, strict=True))


def settled(decoding: Decoding, kind: Kind, outputs: Sequence[dict[str, Array]]) -> Decoding:
    """Returns the decoding with what is `auto` decided by the values that the network gave."""
    scores, unit = decoding.scores, decoding.unit
    if unit == "auto" and isinstance(kind, Coordinates):
        places = [each[kind.output].reshape(-1, kind.channels, kind.numbers)[..., :2] for each in outputs]
        unit = "pixels" if max(float(np.nanmax(np.abs(place))) for place in places) > LARGEST_SHARE else "unit"
    if scores == "auto":
        found = np.array([decoded_scores(kind, each, replace(decoding, scores="probability")) for each in outputs])
        scores = "probability" if np.nanmin(found) >= -0.5 and np.nanmax(found) <= LARGEST_PROBABILITY else "logits"
    return replace(decoding, scores=scores, unit=unit)


def decoded_scores(kind: Kind, outputs: dict[str, Array], decoding: Decoding) -> Array:
    """Returns the scores before they are made probabilities (K,)."""
    first = np.asarray(outputs[kind.outputs[0]], np.float64)
    if isinstance(kind, Coordinates):
        if kind.scores is not None:
            return np.asarray(outputs[kind.scores], np.float64).reshape(kind.channels)
        column = score_column(kind, decoding)
        values = first.reshape(kind.channels, kind.numbers)
        return np.ones(kind.channels) if column is None else values[:, column]
    tops = [np.asarray(outputs[name][0], np.float64).reshape(kind.channels, -1).max(axis=1) for name in kind.outputs]
    return np.min(tops, axis=0)


def largest_batch(model: onnx.ModelProto, crops: NDArray[np.uint8], most: int) -> tuple[onnx.ModelProto, int]:
    """Returns the frame network and its largest batch: `most`, or 1 where it cannot be made to take more."""
    alone = [session_outputs(model, crops[i : i + 1]) for i in range(len(crops))]
    expected = {name: np.concatenate([each[name] for each in alone]) for name in alone[0]}
    for tried in (model, with_any_batch(model)):
        try:
            found = session_outputs(tried, crops)
        except CannotAdd:
            continue
        if all(_same(found[name], expected[name]) for name in expected):
            return tried, most
    return model, 1


def session_outputs(model: onnx.ModelProto, crops: NDArray[np.uint8]) -> dict[str, Array]:
    """Returns the outputs of a frame network for crops.

    Raises:
        CannotAdd: ONNX Runtime cannot compute them.
    """
    running = session(model)
    names = [output.name for output in running.get_outputs()]
    try:
        return dict(zip(names, running.run(names, {IMAGE: crops}), strict=True))
    except Exception as error:
        raise CannotAdd(f"ONNX Runtime cannot run the network with its new nodes: {_short(error)}") from None


def compare(
    model: onnx.ModelProto,
    network: Network,
    crops: NDArray[np.uint8],
    geometry: Geometry,
    pixels: Pixels,
    kind: Kind,
    decoding: Decoding,
    joints: Sequence[int] | None,
) -> float:
    """Compares the added nodes with NumPy, on crops of the sample.

    Returns:
        The largest difference of a keypoint, in pixels of the crop.

    Raises:
        CannotAdd: They differ: by more than a hundredth of a pixel, or the network's input or a score does.
    """
    seen = onnx.ModelProto()
    seen.CopyFrom(model)
    raw = [PREFIX + name for name in kind.outputs]
    for name in (network.input, *raw):
        seen.graph.output.append(helper.make_empty_tensor_value_info(name))
    largest = 0.0
    for crop in crops:
        found = session_outputs(seen, crop[None])
        image = network_input(crop, geometry, pixels, scaled=network.element not in WHOLE_NUMBERS)
        image = image if network.channels_last else image.transpose(2, 0, 1)
        exact = 1e-2 if network.element == TensorProto.FLOAT16 else 1e-4
        if not np.allclose(found[network.input][0].astype(float), image, atol=exact * max(1.0, np.abs(image).max())):
            raise CannotAdd("the network's input is not what it should be; please report this")
        outputs = {name: found[PREFIX + name] for name in kind.outputs}
        places, scores = decoded(kind, outputs, geometry, decoding, joints)
        difference = float(np.abs(found[KEYPOINTS][0] - places).max()) * geometry.side
        if not (difference <= TOLERANCE_PX and np.abs(found[KEYPOINT_SCORES][0] - scores).max() <= 1e-3):
            raise CannotAdd(f"the added nodes are {difference:.3f} pixels from the reference; please report this")
        largest = max(largest, difference)
    return largest


def _same(found: Array, expected: Array) -> bool:
    return found.shape == expected.shape and bool(np.abs(found - expected).max() <= SAME)


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
