"""A tiny MPII in the form of deephar's release: annotations.mat and images/*.jpg."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from models.protocol.joints import MPII
from tests.models.datasets.drawn import Floats, Pixels, picture, save, standing_px, structs


@dataclass(frozen=True)
class MadePicture:
    """A picture and its people, of whom only some are single persons, as MPII says."""

    name: str
    pixels: Pixels
    people: list[dict[str, object]]  # head, objpos, scale, pose (2, 16)
    listed: list[int]  # the people of the split, from 0


def person(pose_px: Floats, hidden: Sequence[int] = ()) -> dict[str, object]:
    """An annotated person from its joints (16, 2), with some not annotated."""
    height = float(np.ptp(pose_px[:, 1]))
    x, y = pose_px[MPII.index("head")]
    pose = pose_px.copy()
    pose[list(hidden)] = np.nan
    return {
        "head": np.array([[x - height / 14, y - height / 40, x + height / 14, y + height / 7]]),
        "objpos": pose_px.mean(axis=0, keepdims=True),
        "scale": height / 200,
        "pose": pose.T,
    }


def drawn_pictures(prefix: str, count: int, seed: int, image_size: tuple[int, int] = (320, 240)) -> list[MadePicture]:
    """Pictures of one person each; each third has a second one in front, and every fourth person lacks a joint."""
    generator = np.random.default_rng(seed)
    width, height = image_size
    made = []
    for at in range(count):
        places = [0.35, 0.75] if at % 3 == 2 else [0.5]
        poses = [
            standing_px(MPII, (x * width, height / 2), height * generator.uniform(0.5, 0.8), generator) for x in places
        ]
        people = [person(pose, hidden=[0, 5] if at % 4 == 3 else []) for pose in poses]
        pixels = picture(image_size, MPII, poses, generator)
        listed = [len(people) - 1] if at % 2 else list(range(len(people)))
        made.append(MadePicture(f"{prefix}{at:09d}.jpg", pixels, people, listed))
    return made


def write(folder: Path, train: list[MadePicture], val: list[MadePicture], *, lossless: bool = False) -> None:
    """Writes annotations and pictures."""
    folder.mkdir(parents=True, exist_ok=True)
    savemat(folder / "annotations.mat", {"annot_tr": _cells(train), "annot_val": _cells(val)}, do_compression=True)
    for made in (*train, *val):
        save(folder / "images" / made.name, made.pixels, lossless=lossless)


def write_release(file: Path, labelled: list[MadePicture], test: list[MadePicture]) -> None:
    """Writes the owners' annotation file, without the pictures."""
    file.parent.mkdir(parents=True, exist_ok=True)
    made = [*labelled, *test]
    singles = np.empty((len(made), 1), object)
    for at, one in enumerate(made):
        singles[at, 0] = np.array(one.listed, np.float64)[:, None] + 1
    images = [
        {"image": structs([{"name": one.name}], (1, 1)), "annorect": _rectangles(one, at < len(labelled)), "vididx": []}
        for at, one in enumerate(made)
    ]
    release = {
        "annolist": structs(images, (1, len(made))),
        "img_train": np.array([[1] * len(labelled) + [0] * len(test)], np.uint8),
        "version": "V1.2",
        "single_person": singles,
    }
    savemat(file, {"RELEASE": structs([release], (1, 1))}, do_compression=True)


def _rectangles(made: MadePicture, has_labels: bool) -> object:
    rows = []
    for one in made.people:
        x, y = np.asarray(one["objpos"], float).ravel()
        row = dict[str, object](scale=one["scale"])
        row["objpos"] = structs([{"x": x, "y": y}], (1, 1))
        if has_labels:
            pose = np.asarray(one["pose"], float).T
            points: list[dict[str, object]] = [
                {"x": x, "y": y, "id": at, "is_visible": 1} for at, (x, y) in enumerate(pose) if np.isfinite(x)
            ]
            row |= dict(zip(("x1", "y1", "x2", "y2"), np.asarray(one["head"], float).ravel(), strict=True))
            row["annopoints"] = structs([{"point": structs(points, (1, len(points)))}], (1, 1))
        rows.append(row)
    return structs(rows, (1, len(rows)))


def make(folder: Path, train: int = 6, val: int = 6, seed: int = 1) -> None:
    """A data set of so many pictures."""
    write(folder, drawn_pictures("0", train, seed), drawn_pictures("1", val, seed + 1))


def _cells(pictures: list[MadePicture]) -> np.ndarray[tuple[int, int], np.dtype[np.object_]]:
    cells = np.empty((3, len(pictures)), object)
    for at, made in enumerate(pictures):
        cells[0, at] = np.array(made.listed, np.float64)[:, None] + 1
        cells[1, at] = made.name
        cells[2, at] = structs(made.people, (len(made.people), 1))
    return cells
