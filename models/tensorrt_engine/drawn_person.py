"""Draws a person who does jumping jacks, with NumPy alone.

In pictures without a person the heat maps are flat: there fp16 moves keypoints, whose scores are near 0, by up to 2 %
of the crop. With a person it is less than 0.1 %, as in photographs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.float32]  # (H, W, 3), 0..255
Point = NDArray[np.float64]  # x, y in 0..1 of the picture

_PERIOD = 27  # frames of one jumping jack
_SKIN, _SHIRT, _SHORTS = (224, 172, 138), (196, 44, 52), (38, 52, 92)
# From joint, to joint, half the width in 0..1 of the picture, colour: from back to front.
_LIMBS = (
    ("right_knee", "right_ankle", 0.022, _SKIN),
    ("left_knee", "left_ankle", 0.022, _SKIN),
    ("right_hip", "right_knee", 0.034, _SHORTS),
    ("left_hip", "left_knee", 0.034, _SHORTS),
    ("right_shoulder", "hips", 0.06, _SHIRT),
    ("left_shoulder", "hips", 0.06, _SHIRT),
    ("neck", "hips", 0.065, _SHIRT),
    ("right_hip", "left_hip", 0.045, _SHORTS),
    ("neck", "head", 0.022, _SKIN),
    ("right_shoulder", "right_elbow", 0.024, _SKIN),
    ("left_shoulder", "left_elbow", 0.024, _SKIN),
    ("right_elbow", "right_wrist", 0.017, _SKIN),
    ("left_elbow", "left_wrist", 0.017, _SKIN),
    ("head", "head", 0.045, _SKIN),
)


def draw(picture: Picture, frame: int) -> Picture:
    """`picture` (H, W, 3) with the person of the video's frame `frame` in front of it."""
    height, width, _ = picture.shape
    rows, columns = (np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width
    places = np.stack(np.meshgrid(columns, rows), axis=-1)  # (H, W, 2)
    joints = _joints(frame / _PERIOD)
    for start, end, half_width, colour in _LIMBS:
        distance = _distance(places, joints[start], joints[end])[..., None]  # (H, W, 1)
        covered = np.clip((half_width - distance) * width + 0.5, 0, 1)
        lit = 1.05 - 0.35 * np.clip(distance / half_width, 0, 1)
        picture = (picture * (1 - covered) + covered * lit * np.array(colour)).astype(np.float32)
    return picture


def _joints(phase: float) -> dict[str, Point]:
    """`phase` 0: arms down and feet together, 0.5: arms up and feet apart, 1: down again."""
    spread = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    hips = np.array([0.5 + 0.03 * np.sin(3 * phase), 0.55 + 0.02 * spread])
    joints = {"hips": hips, "neck": hips - [0, 0.23], "head": hips - [0, 0.31]}
    arm, fore, leg = np.deg2rad([12 + 146 * spread, 6 + 166 * spread, 3 + 22 * spread])  # from straight down
    for side, sign in (("right", -1), ("left", 1)):

        def along(angle: float, sign: int = sign) -> Point:
            return np.array([sign * np.sin(angle), np.cos(angle)])

        joints[f"{side}_shoulder"] = joints["neck"] + np.array([sign * 0.0775, 0.02])
        joints[f"{side}_elbow"] = joints[f"{side}_shoulder"] + 0.1175 * along(arm)
        joints[f"{side}_wrist"] = joints[f"{side}_elbow"] + 0.1075 * along(fore)
        joints[f"{side}_hip"] = hips + np.array([sign * 0.04, 0.01])
        joints[f"{side}_knee"] = joints[f"{side}_hip"] + 0.17 * along(leg)
        joints[f"{side}_ankle"] = joints[f"{side}_knee"] + 0.165 * along(leg)
    return joints


def _distance(places: NDArray[Any], start: Point, end: Point) -> NDArray[Any]:
    """Distances (H, W) from each of `places` (H, W, 2) to the line between two points."""
    line = end - start
    share = np.clip((places - start) @ line / max(float(line @ line), 1e-9), 0, 1)
    return np.linalg.norm(places - start - share[..., None] * line, axis=-1)
