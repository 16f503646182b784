"""What the teacher says of people, as kept in files. Needs no torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

BOXES_FILE = "taught_boxes.npz"
CELLS = 64  # side of the maps
# COCO's numbers of the joints pa16[4:16]: right, then left shoulder, elbow, wrist, hip, knee, ankle.
LIMBS_OF_COCO = (6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


@dataclass(frozen=True)
class Taught:
    """What MoveNet thunder says of N people. Its joints are the twelve limb joints, pa16[4:16]."""

    joints_px: Floats  # (N, 12, 2), in pixels of the picture
    scores: Floats  # (N, 12)
    maps: NDArray[np.uint8]  # (N, 12, 64, 64), its belief in each cell, 255 for certain
    to_cells: Floats  # (N, 2, 3), from pixels of the picture to cells of the maps


def file_of(out: Path, name: str) -> Path:
    """Where one set of people is kept."""
    return out / f"taught_{name}.npz"


def save(taught: Taught, out: Path, name: str) -> None:
    temporary = out / f"taught_{name}.tmp.npz"
    np.savez_compressed(temporary, **{f.name: getattr(taught, f.name) for f in fields(Taught)})
    temporary.replace(file_of(out, name))


def load(out: Path, name: str) -> Taught:
    """One set of people.

    Raises:
        FileNotFoundError: It has not been written.
    """
    file = file_of(out, name)
    if not file.exists():
        raise FileNotFoundError(f"there is no {file}; write it by python -m models.lite.movenet.teacher --out {out}")
    with np.load(file) as stored:
        return Taught(*(stored[f.name] for f in fields(Taught)))


def save_boxes(boxes: list[Floats], scores: list[Floats], out: Path) -> None:
    """Keeps boxes (n, 4) and scores (n,) of each of some pictures."""
    offsets = np.cumsum([0, *(len(rows) for rows in boxes)])
    temporary = out / "taught_boxes.tmp.npz"
    np.savez_compressed(temporary, boxes=np.concatenate(boxes), scores=np.concatenate(scores), offsets=offsets)
    temporary.replace(out / BOXES_FILE)


def load_boxes(out: Path) -> list[tuple[Floats, Floats]]:
    """Boxes (n, 4) in pixels and scores (n,) of each picture, in the order of `movenet/box_teacher.py`.

    Raises:
        FileNotFoundError: They have not been written.
    """
    file = out / BOXES_FILE
    if not file.exists():
        raise FileNotFoundError(
            f"there is no {file}; write it by python -m models.lite.movenet.box_teacher --out {out}"
        )
    with np.load(file) as stored:
        offsets, boxes, scores = stored["offsets"], stored["boxes"], stored["scores"]
    return [(boxes[a:b], scores[a:b]) for a, b in pairwise(offsets.tolist())]
