"""Pictures with people's boxes: the person detector's data, for training and for evaluation. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import BOX_PARTS, KEPT_EVERY, People, decode
from models.lite.frame.torso import torso_size
from models.lite.layout import NECK
from models.lite.movenet import taught
from service.vision.boxes import iou

SURE, SAME_IOU = 0.4, 0.5  # the teacher's score of a person, and IoU with a labelled one from which it is the same
PAD_TORSO, PAD_EXTENT = 0.15, 0.05  # from the joints to the body's outline, in torsos and in sides of their box

Picture = NDArray[np.uint8]  # (H, W, 3) RGB
Boxes = NDArray[np.float32]  # (n, 4) x, y, width, height


@dataclass(frozen=True)
class BoxedPictures:
    images: list[Picture]
    boxes_px: list[Boxes]  # pixels of the picture
    unsure_px: list[Boxes] | None = None  # of each picture, where there may be people or not


def load(data: Path, tier: int, split: int) -> BoxedPictures:
    """One part of the data.

    Args:
        data: Folder of the training data.
        tier: 0 for pictures with a box for every person, 1 for those where bystanders may lack one.
        split: 0 for training, 1 for validation.
    """
    images: list[Picture] = []
    boxes_px: list[Boxes] = []
    for part in range(BOX_PARTS):
        held = dict(np.load(data / f"people_boxes_{part}.npz"))
        for i in np.flatnonzero((held["tier"] == tier) & (held["split"] == split)):
            images.append(decode(held["jpeg"], held["offsets"], int(i)))
            boxes_px.append(held["boxes"][held["box_offsets"][i] : held["box_offsets"][i + 1]].astype(np.float32))
    return BoxedPictures(images, boxes_px)


def load_validation(data: Path) -> BoxedPictures:
    """The 140 pictures (250 boxes) that figures are reported on. Nothing is trained or chosen by them."""
    return load(data, tier=0, split=1)


def load_training(data: Path) -> tuple[BoxedPictures, BoxedPictures]:
    """Training pictures and held-out pictures with a box for every person: the latter are `kept_pictures`."""
    complete = load(data, tier=0, split=0)
    held_out = range(0, len(complete.images), KEPT_EVERY)
    kept = [i for i in range(len(complete.images)) if i % KEPT_EVERY]

    def some(indices: list[int]) -> BoxedPictures:
        return BoxedPictures([complete.images[i] for i in indices], [complete.boxes_px[i] for i in indices])

    return some(kept), some(list(held_out))


def load_taught(data: Path, out: Path) -> BoxedPictures:
    """Pictures whose boxes a teacher completes, or makes: `out` has what it says."""
    missed, everyday = load(data, tier=1, split=0), dict(np.load(data / "people_everyday.npz"))
    images, labelled = list(missed.images), list(missed.boxes_px)
    for i in range(len(everyday["offsets"]) - 1):
        images.append(decode(everyday["jpeg"], everyday["offsets"], i))
        labelled.append(np.zeros((0, 4), np.float32))
    boxes_px, unsure_px = [], []
    for known, (found, scores) in zip(labelled, taught.load_boxes(out), strict=True):
        new = iou(found, known).max(axis=1, initial=0) < SAME_IOU
        boxes_px.append(np.concatenate([known, found[new & (scores >= SURE)]]))
        unsure_px.append(found[new & (scores < SURE)])
    return BoxedPictures(images, boxes_px, unsure_px)


def body_box(joints: NDArray[np.float32], valid: NDArray[np.bool_]) -> Boxes:
    """The box (1, 4) of a person from joints (K, 2), padded for soles, hands and hair."""
    low, high = joints[valid].min(0), joints[valid].max(0)
    pad = max(PAD_TORSO * float(torso_size(joints, valid)), PAD_EXTENT * float((high - low).max()))
    return np.concatenate([low - pad, high - low + 2 * pad])[None].astype(np.float32)


def with_most_joints(people: People) -> People:
    """Those people whose labels reach from head to feet: others' boxes would be too small."""
    kept = np.flatnonzero(people.valid[:, NECK:].sum(1) >= 13)
    return People([people.images[i] for i in kept], people.joints[kept], people.valid[kept])
