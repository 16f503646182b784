"""Pictures with people's boxes: the person detector's data, for training and for evaluation. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import People, decode
from models.lite.frame.torso import torso_size
from models.lite.layout import NECK

PARTS = 3
HELD_OUT_EVERY = 15  # of the training pictures with every person boxed: for calibration and the default threshold
PAD_TORSO, PAD_EXTENT = 0.15, 0.05  # from the joints to the body's outline, in torsos and in sides of their box

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Boxes = NDArray[np.float32]  # (n, 4) x, y, width, height


@dataclass(frozen=True)
class BoxedPictures:
    images: list[Picture]
    boxes_px: list[Boxes]  # pixels of the picture
    complete: bool  # every person has a box


def load(data: Path, tier: int, split: int) -> BoxedPictures:
    """One part of the data.

    Args:
        data: Folder of the training data.
        tier: 0 for pictures with a box for every person, 1 for those where bystanders may lack one.
        split: 0 for training, 1 for validation.
    """
    images: list[Picture] = []
    boxes_px: list[Boxes] = []
    for part in range(PARTS):
        held = dict(np.load(data / f"people_boxes_{part}.npz"))
        for i in np.flatnonzero((held["tier"] == tier) & (held["split"] == split)):
            images.append(decode(held["jpeg"], held["offsets"], int(i)))
            boxes_px.append(held["boxes"][held["box_offsets"][i] : held["box_offsets"][i + 1]].astype(np.float32))
    return BoxedPictures(images, boxes_px, complete=tier == 0)


def load_validation(data: Path) -> BoxedPictures:
    """The 140 pictures (250 boxes) that figures are reported on. Nothing is trained or chosen by them."""
    return load(data, tier=0, split=1)


def load_training(data: Path) -> tuple[BoxedPictures, BoxedPictures, BoxedPictures]:
    """Training pictures with all boxes, those that may lack some, and held-out pictures with all boxes."""
    complete, missed = load(data, tier=0, split=0), load(data, tier=1, split=0)
    held_out = range(0, len(complete.images), HELD_OUT_EVERY)
    kept = [i for i in range(len(complete.images)) if i % HELD_OUT_EVERY]

    def some(indices: list[int]) -> BoxedPictures:
        return BoxedPictures([complete.images[i] for i in indices], [complete.boxes_px[i] for i in indices], True)

    return some(kept), missed, some(list(held_out))


def body_box(joints: NDArray[np.float32], valid: NDArray[np.bool_]) -> Boxes:
    """The box (1, 4) of a person from joints (K, 2), padded for soles, hands and hair."""
    low, high = joints[valid].min(0), joints[valid].max(0)
    pad = max(PAD_TORSO * float(torso_size(joints, valid)), PAD_EXTENT * float((high - low).max()))
    return np.concatenate([low - pad, high - low + 2 * pad])[None].astype(np.float32)


def with_most_joints(people: People) -> People:
    """Those people whose labels reach from head to feet: others' boxes would be too small."""
    kept = np.flatnonzero(people.valid[:, NECK:].sum(1) >= 13)
    return People([people.images[i] for i in kept], people.joints[kept], people.valid[kept])
