"""Data sets in memory: a person of sticks with the joints that each data set has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from models.datasets.clip_windows import AnnotatedWindows
from models.datasets.samples import Clip, Dataset, Floats, H36mPerson, Person, Pixels
from models.protocol import joints
from models.protocol.camera import Camera
from models.protocol.window import Window
from tests.models.datasets import stick_person

SIZE = (320, 240)
DEPTH_MM = 4000.0
CAMERA = Camera(np.eye(3), np.zeros(3), np.full(2, 1145.0), np.full(2, 160.0), np.zeros(2), np.zeros(3))


def _pose(number: int, time: float = 0.0) -> Floats:
    return stick_person.pose(number, time, (150 + 10 * (number % 3), 120), 150)


def _as_named(pose: Floats, names: joints.Joints) -> Floats:
    """The joints (K, 2) of a person of PA17; hands and feet at the wrists and ankles, others at the pelvis."""
    nearest = {"hand": "wrist", "foot": "ankle"}
    rows = []
    for name in names:
        side, _, part = name.partition("_")
        known = f"{side}_{nearest[part]}" if part in nearest else name
        rows.append(pose[joints.PA17.index(known) if known in joints.PA17 else 0])
    return np.array(rows)


@dataclass
class Read:
    """Draws the picture when asked."""

    number: int

    def __call__(self, frame: int = 0) -> Pixels:
        return stick_person.picture(_pose(self.number, frame / 20), SIZE)


class InMemory(Dataset[Any]):
    """So many samples of one data set."""

    def __init__(self, name: str, count: int, frames: int = 50) -> None:
        self.name, self.split, self.count, self.frames = name, "train", count, frames
        self.broken: Exception | None = None

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Person | Clip:
        if self.broken:
            raise self.broken
        if self.name in ("penn", "ntu"):
            return _clip(self.name, index, self.frames)
        names = joints.MPII if self.name == "mpii" else joints.H36M
        points = _as_named(_pose(index), names)
        fields: dict[str, Any] = {
            "key": f"{self.name}-{index}",
            "image_size": SIZE,
            "read": Read(index),
            "joints": names,
            "keypoints_px": points,
            "visible": np.ones(len(names), bool),
            "window": Window(160, 120, 200, 200),
        }
        if self.name == "mpii":
            return Person(**fields)
        uvz = np.concatenate([points, DEPTH_MM + 2 * (points[:, :1] - points[0, 0])], axis=1)
        return H36mPerson(**fields, world_mm=uvz, uvz=uvz, camera=CAMERA, action=0)

    def fingerprint(self) -> str:
        return self.name


def _clip(name: str, index: int, frames: int) -> Clip:
    names = joints.PENN if name == "penn" else joints.NTU
    points = np.stack([_as_named(_pose(index, frame / 20), names) for frame in range(frames)])
    if name == "ntu":
        depth = DEPTH_MM + 2 * (points[..., :1] - points[:, :1, :1])
        points = np.concatenate([points, depth], axis=-1)
    visible = np.ones(points.shape[:2], bool)
    return Clip(
        key=f"{name}-{index}",
        action=index,
        frames=frames,
        image_size=SIZE,
        read=Read(index),
        joints=names,
        keypoints=points,
        visible=visible,
        window_of=AnnotatedWindows(points, visible, SIZE),
    )
