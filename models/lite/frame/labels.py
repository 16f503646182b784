"""What the frame network learns from: people with labels of people, of a crowd mended by a teacher, or of the teacher.

The teacher (`movenet/teacher.py`) knows the twelve limb joints, pa16[4:16]. Labels of people alone have neck and head.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import (
    People,
    boxed_pictures,
    kept_pictures,
    load_careful,
    load_crowd,
    set_middles,
)
from models.lite.frame.torso import torso_size
from models.lite.layout import LIMBS, NUM_JOINTS
from models.lite.movenet.taught import Taught, load

SURE, DOUBTFUL = 0.5, 0.3  # scores of the teacher; of those with 0.5 and more, 96 % are right on LSP
HIDDEN = 0.1  # below it the joint is not to be seen
FAR_TORSO = 0.25
SPORT_TURN_DEG, EVERYDAY_TURN_DEG = 27.0, 12.0  # gymnasts stand on their heads, passers-by do not
LEAST_JOINTS = 3  # of a boxed person, for the teacher to have seen who it is

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class TrainingSet:
    """People to train on."""

    people: People
    times: int  # how often each is drawn in one pass
    by_teacher: Bools  # (N, 16), joints whose map is the teacher's
    unknown: Bools  # (N, 16), joints of which nothing is known: neither where they are nor that they are hidden
    taught: Taught | None = None  # without, no joint is the teacher's
    boxes_px: Floats | None = None  # (N, 4) x, y, width, height to crop by; without, the joints' box
    turn_deg: float = SPORT_TURN_DEG  # deviation of the angle by which most people are turned


def load_training(data: Path, out: Path) -> list[TrainingSet]:
    """All people to train on; `out` has what the teacher says of them."""
    return [crowd(data, out), careful(data), boxed(data, out, "boxed", 2), boxed(data, out, "everyday", 3)]


def careful(data: Path) -> TrainingSet:
    """LSP: the labels as they are."""
    people = load_careful(data)
    none = np.zeros((len(people.images), NUM_JOINTS), bool)
    return TrainingSet(people, 5, none, none)


def crowd(data: Path, out: Path) -> TrainingSet:
    """LSPET: the teacher's joint where it is sure and no label is near; none where it half believes otherwise."""
    people = load_crowd(data)
    taught = load(out, "lspet")
    joints, valid = people.joints.copy(), people.valid.copy()
    distance = np.linalg.norm(taught.joints_px - joints[:, LIMBS], axis=-1)
    far = valid[:, LIMBS] & (distance > FAR_TORSO * torso_size(joints, valid)[:, None])
    replaced = (far | ~valid[:, LIMBS]) & (taught.scores >= SURE)
    doubted = far & ~replaced & (taught.scores >= DOUBTFUL)
    joints[:, LIMBS] = np.where(replaced[..., None], taught.joints_px, joints[:, LIMBS])
    valid[:, LIMBS] = (valid[:, LIMBS] | replaced) & ~doubted
    by_teacher, unknown = np.zeros(valid.shape, bool), ~valid
    by_teacher[:, LIMBS] = replaced
    set_middles(joints, valid)
    return TrainingSet(People(people.images, joints, valid), 1, by_teacher, unknown, taught)


def boxed(data: Path, out: Path, name: str, times: int) -> TrainingSet:
    """People with a box and the teacher's joints, but for those of pictures kept to validate or to calibrate."""
    taught, images, boxes, chosen = load(out, name), [], [], []
    kept = kept_pictures(data) if name == "boxed" else set()
    for picture in boxed_pictures(data, name):
        seen = (taught.scores[picture.rows] >= DOUBTFUL).sum(1) >= LEAST_JOINTS
        if picture.is_validation or picture.place in kept or not seen.any():
            continue
        images += [picture.image] * int(seen.sum())
        boxes.append(picture.boxes_px[seen])
        chosen.append(picture.rows.start + np.flatnonzero(seen))
    taught = _rows(taught, np.concatenate(chosen))
    joints, valid = np.zeros((len(images), NUM_JOINTS, 2), np.float32), np.zeros((len(images), NUM_JOINTS), bool)
    by_teacher = np.zeros(valid.shape, bool)
    joints[:, LIMBS], valid[:, LIMBS] = taught.joints_px, taught.scores >= DOUBTFUL
    by_teacher[:, LIMBS] = True
    set_middles(joints, valid)
    unknown = ~valid
    unknown[:, LIMBS] &= taught.scores >= HIDDEN
    people = People(images, joints, valid)
    return TrainingSet(people, times, by_teacher, unknown, taught, np.concatenate(boxes), EVERYDAY_TURN_DEG)


def _rows(taught: Taught, rows: NDArray[np.int64]) -> Taught:
    return Taught(taught.joints_px[rows], taught.scores[rows], taught.maps[rows], taught.to_cells[rows])
