"""A person of sticks who moves by the action that they do: for data sets that are made up."""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from models.protocol.joints import PA17

LIMBS = (
    *(("head", "neck"), ("neck", "thorax"), ("thorax", "spine"), ("spine", "pelvis")),
    *(
        (f"{side}_{a}", f"{side}_{b}")
        for side in ("right", "left")
        for a, b in (("shoulder", "elbow"), ("hip", "knee"))
    ),
    *((f"{side}_{a}", f"{side}_{b}") for side in ("right", "left") for a, b in (("elbow", "wrist"), ("knee", "ankle"))),
    *(("right_shoulder", "left_shoulder"), ("right_hip", "left_hip")),
)


def pose(action: int, time: float, centre_px: tuple[float, float], height_px: float) -> NDArray[np.float64]:
    """Returns the joints (17, 2) in the order of PA17.

    Args:
        action: Any number: another one is another movement of the arms.
        time: 1 is a whole period of the movement.
        centre_px: Of the pelvis.
        height_px: Of the person.
    """
    swing = math.sin(2 * math.pi * (1 + action % 3) * time)
    lift = 0.2 + 0.9 * (action % 4) + 0.5 * swing  # angle of the upper arms from hanging down
    bend = lift + 0.4 + 0.3 * swing
    places: dict[str, NDArray[np.float64] | tuple[float, float]] = {
        "pelvis": (0.0, 0.0),
        "spine": (0, -0.14),
        "thorax": (0, -0.27),
        "neck": (0, -0.32),
        "head": (0, -0.47),
    }
    for side, sign in (("right", -1), ("left", 1)):
        shoulder = np.array((sign * 0.11, -0.29))
        elbow = shoulder + 0.17 * np.array((sign * math.sin(lift), math.cos(lift)))
        wrist = elbow + 0.15 * np.array((sign * math.sin(bend), math.cos(bend)))
        knee = (sign * (0.09 + 0.02 * swing), 0.24)
        names = ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
        ends = (shoulder, elbow, wrist, (sign * 0.08, 0.01), knee, (sign * 0.1, 0.48))
        for name, end in zip(names, ends, strict=True):
            places[f"{side}_{name}"] = np.array(end)
    return np.array(centre_px) + height_px * np.array([places[joint] for joint in PA17], np.float64)


def picture(joints_px: NDArray[np.float64], size: tuple[int, int], background: int = 60) -> NDArray[np.uint8]:
    """Returns a picture (height, width, 3) of the person; limbs of the left and the right have other colours."""
    width, height = size
    shade = np.linspace(background, background + 40, width).astype(np.uint8)
    pixels = np.ascontiguousarray(np.broadcast_to(shade[None, :, None], (height, width, 3)))
    thick = max(2, round(float(np.ptp(joints_px[:, 1])) / 14))
    at = {joint: tuple(int(v) for v in np.round(point)) for joint, point in zip(PA17, joints_px, strict=True)}
    for a, b in LIMBS:
        colour = (220, 90, 60) if a.startswith("right") else (60, 120, 230) if a.startswith("left") else (230, 200, 160)
        cv2.line(pixels, at[a], at[b], colour, thick, cv2.LINE_AA)
    cv2.circle(pixels, at["head"], thick * 2, (240, 210, 170), -1, cv2.LINE_AA)
    return pixels
