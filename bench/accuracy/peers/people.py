"""The people that `lite` and its peers are compared on, and where peers' answers are kept. Needs no torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import crop_around, load_held_out
from models.lite.person.data import load_validation
from service.vision.crops import JOINTS_OVER_BODY

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]

OUT = Path("build/peers")
LEAST_PX = 16.0


@dataclass(frozen=True)
class Boxed:
    """A person with a box."""

    image: Image
    box_px: Floats  # (4,) x, y, width, height
    body_px: float  # larger side of the body's box

    def crop(self, size: int, margin: float) -> tuple[Image, NDArray[np.float64]]:
        """A square crop, its side `margin` times the body's, and the way back (2, 3) to pixels of the picture."""
        x, y, width, height = self.box_px
        centre = np.array([x + width / 2, y + height / 2], np.float32)
        return crop_around(self.image, centre, max(self.body_px, LEAST_PX) * margin, size)


def held_out(data: Path) -> list[Boxed]:
    """The people of LSP that no network is trained on, with the boxes of their joints."""
    people, found = load_held_out(data), []
    for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
        low, high = joints[valid].min(0), joints[valid].max(0)
        side = float((high - low).max()) / JOINTS_OVER_BODY
        found.append(Boxed(image, np.concatenate([low, high - low]), side))
    return found


def everyday(data: Path) -> list[Boxed]:
    """The people of the detector's validation pictures, with their bodies' boxes."""
    pictures = load_validation(data)
    return [
        Boxed(image, box, float(box[2:].max()))
        for image, boxes in zip(pictures.images, pictures.boxes_px, strict=True)
        for box in boxes
    ]


SETS: dict[str, Callable[[Path], list[Boxed]]] = {"lsp": held_out, "everyday": everyday}


@dataclass(frozen=True)
class Joints:
    """What one network says of N people: the twelve limb joints pa16[4:16], and scores."""

    joints_px: Floats  # (N, 12, 2)
    scores: Floats  # (N, 12)


def save(joints: Joints, out: Path, peer: str, name: str) -> None:
    out.mkdir(parents=True, exist_ok=True)
    np.savez(out / f"{peer}_{name}.npz", joints_px=joints.joints_px, scores=joints.scores)
    print(f"{peer}: {len(joints.scores)} people of {name}", flush=True)


def load(out: Path, peer: str, name: str) -> Joints:
    with np.load(out / f"{peer}_{name}.npz") as stored:
        return Joints(stored["joints_px"], stored["scores"])
