"""MPII Human Pose, single people: the pictures of the owners, and deephar's annotation file with its split.

deephar's validation part is the one that is in common use (Tompson et al.); the test part's labels are not published.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from models.datasets import mat_file
from models.datasets.annotations import annotation_file, inspect_annotations, wanted_split
from models.datasets.check import Finding
from models.datasets.fingerprint import fingerprint_of
from models.datasets.pictures import inspect_pictures, picture_size, read_picture
from models.datasets.problem import DataProblem
from models.datasets.published import MPII_ANNOTATIONS, MPII_PAGE
from models.datasets.samples import Dataset, Floats, MpiiPerson
from models.protocol.boxes import mpii_window
from models.protocol.joints import MPII

SPLITS = ("train", "val")

_VARIABLES = {"train": "annot_tr", "val": "annot_val"}
_HEAD_SHARE = 0.6  # of the head box's diagonal


@dataclass(frozen=True, eq=False)
class _Annotations:
    """The people of a split, one after the other."""

    pictures: list[str]
    place: list[int]  # the person's number in the picture, from 0
    head_px: Floats  # (N, 4): x1, y1, x2, y2
    centre_px: Floats  # (N, 2)
    scale: Floats  # (N,)
    pose_px: Floats  # (N, 16, 2)


class Mpii(Dataset[MpiiPerson]):
    """A split of MPII."""

    name = "mpii"

    def __init__(self, folder: Path, split: str) -> None:
        self.split = wanted_split(self.name, split, SPLITS)
        self._folder = folder
        self._file = annotation_file(self.name, folder, MPII_ANNOTATIONS)
        self._people = _read(self._file, split)

    def __len__(self) -> int:
        return len(self._people.pictures)

    def __getitem__(self, index: int) -> MpiiPerson:
        people = self._people
        picture = self._folder / "images" / people.pictures[index]
        pose = people.pose_px[index]
        x, y = people.centre_px[index]
        left, top, right, bottom = people.head_px[index]
        return MpiiPerson(
            key=f"{picture.name}#{people.place[index]}",
            image_size=picture_size(picture),
            read=partial(read_picture, picture),
            joints=MPII,
            keypoints_px=pose,
            visible=np.isfinite(pose).all(axis=-1),
            window=mpii_window((float(x), float(y)), float(people.scale[index])).at_least_smallest(),
            head_size_px=float(_HEAD_SHARE * np.hypot(right - left, bottom - top)),
        )

    def fingerprint(self) -> str:
        return fingerprint_of([self._file], self.split, len(self))


def open_split(folder: Path, split: str) -> Mpii:
    """A split of MPII.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    return Mpii(folder, split)


def inspect(folder: Path) -> list[Finding]:
    """What of MPII lies in a folder."""
    pictures: set[str] = set()

    def read(file: Path) -> str:
        counts = []
        for split in SPLITS:
            people = _read(file, split)
            pictures.update(people.pictures)
            counts.append(f"{len(people.pictures):,} people in {split}")
        return ", ".join(counts)

    annotations, _ = inspect_annotations(folder, MPII_ANNOTATIONS, read)
    wanted = [f"images/{name}" for name in sorted(pictures)]
    return [annotations, inspect_pictures(folder, "images/*.jpg", wanted, MPII_PAGE)]


def _read(file: Path, split: str) -> _Annotations:
    variables = mat_file.names(file)
    if "RELEASE" in variables:
        raise DataProblem(
            f"{file} is the owners' annotation file, which has no validation part. Wanted is {MPII_ANNOTATIONS.source}"
        )
    cells = mat_file.value(file, _VARIABLES[split])
    try:
        return _packed(cells)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise DataProblem(
            f"{file} holds {_VARIABLES[split]} in an unknown form ({error}). Wanted is {MPII_ANNOTATIONS.source}"
        ) from error


def _packed(cells: Any) -> _Annotations:
    """From 3 x N cells: a picture's listed people (from 1), its name, all its people."""
    pictures, place, head, centre, scale, pose = [], [], [], [], [], []
    for listed, picture, people in np.reshape(cells, (3, -1)).T:
        for number in np.atleast_1d(listed).astype(int) - 1:
            person = np.atleast_1d(people)[number]
            pictures.append(str(picture))
            place.append(int(number))
            head.append(np.asarray(person.head, float).reshape(4))
            centre.append(np.asarray(person.objpos, float).reshape(2))
            scale.append(float(person.scale))
            pose.append(np.asarray(person.pose, float).reshape(2, 16).T)
    if not pictures:
        raise ValueError("nobody is listed")
    return _Annotations(pictures, place, np.array(head), np.array(centre), np.array(scale), np.array(pose))
