"""What all peers do alike: from the bytes of a JPEG and a box to the network's input, and from its output to JSON.

It is what the service does for a picture with a box. The crop is the service's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray

from service.vision.boxes import Box
from service.vision.crops import CropWindow, crop, crop_window_around, depth_from_root, to_picture
from service.vision.layouts import LAYOUTS

MODEL = Path(__file__).resolve().parents[3] / "model_repository" / "lite_frame" / "1" / "model.onnx"
SIZE, MARGIN, DEPTH_MM = 192, 1.1, 4000.0  # as the model's card says
JOINTS = LAYOUTS["pa16"].joints

Crop = NDArray[np.uint8]
Array = NDArray[np.float32]


def session(threads: int = 0) -> onnxruntime.InferenceSession:
    """Returns the network in fp32; 0 threads: as many as there are cores."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    return onnxruntime.InferenceSession(str(MODEL), options, providers=["CPUExecutionProvider"])


def cropped(jpeg: bytes, box: list[float]) -> tuple[Crop, CropWindow]:
    """Returns the network's input (S, S, 3) and where in the picture it is."""
    image = cv2.cvtColor(cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    crop_window = crop_window_around(Box(*box), MARGIN)
    return crop(image, crop_window, SIZE), crop_window


def run(network: onnxruntime.InferenceSession, crops: list[Crop]) -> list[tuple[Array, Array]]:
    """Returns keypoints (K, 3) and their scores (K,) of each crop, by one inference."""
    return list(zip(*network.run(["keypoints", "keypoint_scores"], {"image": np.stack(crops)}), strict=True))


def people(
    network: onnxruntime.InferenceSession, jpegs: Sequence[bytes], boxes: Sequence[list[float]]
) -> list[dict[str, Any]]:
    """Returns the person in the box of each picture, by one inference."""
    crops, crop_windows = zip(*map(cropped, jpegs, boxes), strict=True)
    return list(map(person, boxes, crop_windows, run(network, list(crops))))


def person(box: list[float], crop_window: CropWindow, output: tuple[Array, Array]) -> dict[str, Any]:
    """Returns a person of the answer."""
    keypoints, scores = output
    points = to_picture(keypoints[:, :2], crop_window).tolist()
    depths = depth_from_root(keypoints[:, 2], DEPTH_MM).tolist()
    joints = [
        {"name": name, "x": x, "y": y, "z": z, "score": score}
        for name, (x, y), z, score in zip(JOINTS, points, depths, scores.tolist(), strict=True)
    ]
    return {"box": box, "score": float(scores.mean()), "keypoints": joints}
