"""A picture of one colour, and what the networks of `known_networks.py` find in it."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image as Pillow

from service.vision.layouts import LAYOUTS
from tests.integration import known_answers as known

WIDTH, HEIGHT, RED, BLUE = 640, 480, 51, 204
JOINTS = LAYOUTS["pa20"].joints
BOX, OTHER_BOX = (220.0, 140.0, 100.0, 200.0), (330.0, 150.0, 160.0, 80.0)
CAMERA: dict[str, Any] = {"fx": 1145.0, "fy": 1143.5, "cx": 320.0, "cy": 240.0, "root_depth_mm": 4000.0}


def picture(colour: tuple[int, int, int] = (RED, 100, BLUE), size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", size, colour).save(buffer, "PNG")
    return buffer.getvalue()


def expected(box: tuple[float, ...], red: float = RED / 255) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (20, 2) and millimetres from the root (20,) of a box within a picture of one colour."""
    x, y, width, height = box
    side = max(width, height) * known.MARGIN
    points = known.keypoints_crop(len(JOINTS), 3, red).astype(float)
    return points[:, :2] * side + [x + (width - side) / 2, y + (height - side) / 2], (points[:, 2] - 0.5) * 2000


def places(box: tuple[float, ...], root_depth_mm: float) -> np.ndarray:
    """(20, 3) in the camera's coordinates."""
    (u, v), z = expected(box)[0].T, expected(box)[1] + root_depth_mm
    return np.stack([(u - CAMERA["cx"]) * z / CAMERA["fx"], (v - CAMERA["cy"]) * z / CAMERA["fy"], z], axis=1)
