"""The detector `person` of the model repository on many pictures: in ONNX Runtime here, or in a Triton."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.problem import DataProblem
from models.datasets.samples import Floats, Pixels
from models.files.checksums import sha256_of
from service.networks.tensors import BOX_SCORES, BOXES, IMAGE
from service.vision.boxes import nms
from service.vision.crops import letterbox

NAME = "person"
Run = Callable[[NDArray[np.uint8]], tuple[NDArray[np.float32], NDArray[np.float32]]]


@dataclass(frozen=True, eq=False)
class Detections:
    """The people of one picture by descending score."""

    boxes: Floats  # (N, 4), x, y, width, height in pixels
    scores: Floats  # (N,)


@dataclass(frozen=True, eq=False)
class PersonDetector:
    """Finds people in whole pictures, as the service does in pictures of an ordinary size."""

    run: Run  # letterboxes (B, S, S, 3) to boxes (B, N, 4) in 0..1 and scores (B, N)
    size: int  # S
    threshold: float  # lowest score
    overlap: float  # largest IoU of two detections
    sha256: str  # of the model's file

    def look(self, picture: Pixels) -> Pixels:
        """What the network sees of a picture."""
        return letterbox(picture, self.size)

    def detect(self, looks: Sequence[Pixels], sizes: Sequence[tuple[int, int]]) -> list[Detections]:
        """The people in pictures of these sizes (width, height), from what the network sees of them."""
        return [self._found(*found) for found in zip(*self.run(np.stack(looks)), sizes, strict=True)]

    def _found(self, boxes: NDArray[np.float32], scores: NDArray[np.float32], size: tuple[int, int]) -> Detections:
        above = scores >= self.threshold
        pixels = boxes[above].astype(np.float64) * max(size)
        low, high = np.maximum(pixels[:, :2], 0), np.minimum(pixels[:, :2] + pixels[:, 2:], size)
        inside = (high - low >= 1).all(axis=1)
        rows, sure = np.hstack([low, high - low])[inside], scores[above][inside].astype(np.float64)
        kept = nms(rows, sure, self.overlap)
        return Detections(rows[kept], sure[kept])


def open_detector(repository: Path, target: str) -> PersonDetector:
    """The detector.

    Args:
        repository: With the model, whose card says how it is used.
        target: "onnx", or a Triton's HOST:PORT (gRPC) that serves the same repository.

    Raises:
        DataProblem: The model is not there, or the Triton is not.
    """
    folder = repository / NAME
    card, most = _card(folder / "config.pbtxt")
    file = folder / "1" / "model.onnx"
    if not file.is_file():
        raise DataProblem(f"{file} is missing; --repository names a model repository with the detector {NAME}")
    run = _onnx(file) if target == "onnx" else _triton(target, most)
    return PersonDetector(run, int(card["size"]), float(card["threshold"]), float(card["overlap"]), sha256_of(file))


def _card(file: Path) -> tuple[dict[str, Any], int]:
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    try:
        config = text_format.Parse(file.read_text(), model_config_pb2.ModelConfig())
        return json.loads(config.parameters["card"].string_value), config.max_batch_size
    except FileNotFoundError:
        raise DataProblem(
            f"{file} is missing; --repository names a model repository with the detector {NAME}"
        ) from None
    except (text_format.ParseError, ValueError) as error:
        raise DataProblem(f"{file} has no card of the detector: {error}") from error


def _onnx(file: Path) -> Run:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])

    def run(looks: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        boxes, scores = session.run([BOXES, BOX_SCORES], {IMAGE: looks})
        return boxes, scores

    return run


def _triton(address: str, most: int) -> Run:
    import tritonclient.grpc as triton

    try:
        client = triton.InferenceServerClient(address)
        ready = client.is_model_ready(NAME)
    except (triton.InferenceServerException, ValueError) as error:
        raise DataProblem(f"no Triton answers at {address} (HOST:PORT of its gRPC): {error}") from error
    if not ready:
        raise DataProblem(f"the Triton at {address} does not serve {NAME}")

    def once(looks: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        given = triton.InferInput(IMAGE, list(looks.shape), "UINT8")
        given.set_data_from_numpy(looks)
        try:
            answer = client.infer(NAME, [given])
        except triton.InferenceServerException as error:
            raise DataProblem(f"the Triton at {address} failed: {error}") from error
        return answer.as_numpy(BOXES), answer.as_numpy(BOX_SCORES)

    def run(looks: NDArray[np.uint8]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        parts = [once(looks[start : start + most]) for start in range(0, len(looks), most)]
        return np.concatenate([boxes for boxes, _ in parts]), np.concatenate([scores for _, scores in parts])

    return run
