"""MPII Human Pose, single people: the owners' pictures, and deephar's annotation file with its split, or the owners'.

deephar's validation part is the one that is in common use (Tompson et al.); the test part's labels are not published.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from models.datasets import mpii_release
from models.datasets.annotations import annotation_file, by_joint, fingerprint_of, inspect_annotations, wanted_split
from models.datasets.check import Finding, State
from models.datasets.formats import mat_file
from models.datasets.pictures import PictureFile, inspect_pictures, picture_size
from models.datasets.problem import DataProblem
from models.datasets.published import MPII_ANNOTATIONS, MPII_PAGE
from models.datasets.samples import Dataset, Floats, MpiiPerson
from models.protocol.boxes import mpii_window
from models.protocol.joints import MPII

_BOTH = "trainval"  # the training and the validation part, which the owners do not tell apart
SPLITS = ("train", _BOTH, "val")

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
        self._file = _annotation_file(folder, split)
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
            read=PictureFile(picture),
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
        for split in _VARIABLES:
            people = _read(file, split)
            pictures.update(people.pictures)
            counts.append(f"{len(people.pictures):,} people in {split}")
        return ", ".join(counts)

    annotations, _ = inspect_annotations(folder, MPII_ANNOTATIONS, read)
    if annotations.state is State.MISSING and (owners := mpii_release.find(folder)):
        try:
            people = _read(owners, _BOTH)
        except DataProblem as problem:
            return [annotations, Finding(owners.name, State.WRONG, str(problem), MPII_PAGE), _pictures(folder, [])]
        pictures.update(people.pictures)
        text = f"{annotations.found}; {owners.name} has {len(people.pictures):,} people for {_BOTH}, not train and val"
        annotations = replace(annotations, found=text)
    return [annotations, _pictures(folder, sorted(pictures))]


def _pictures(folder: Path, names: list[str]) -> Finding:
    return inspect_pictures(folder, "images/*.jpg", [f"images/{name}" for name in names], MPII_PAGE)


def _annotation_file(folder: Path, split: str) -> Path:
    if MPII_ANNOTATIONS.find(folder) is None and (owners := mpii_release.find(folder)):
        if split == _BOTH:
            return owners
        raise DataProblem(_no_parts(owners))
    return annotation_file("mpii", folder, MPII_ANNOTATIONS)


def _no_parts(file: Path) -> str:
    parts = " and ".join(_VARIABLES)
    return f"{file} is the owners': it has {_BOTH}, but no {parts}. These are in {MPII_ANNOTATIONS.source}"


def _read(file: Path, split: str) -> _Annotations:
    is_owners = mpii_release.VARIABLE in mat_file.names(file)
    if is_owners and split != _BOTH:
        raise DataProblem(_no_parts(file))
    variables = _VARIABLES.values() if split == _BOTH else [_VARIABLES[split]]
    try:
        if is_owners:
            return _packed(mpii_release.people(file))
        return _packed(chain.from_iterable(_listed(mat_file.value(file, variable)) for variable in variables))
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        raise DataProblem(
            f"{file} holds the people of {split} in an unknown form ({error}). Wanted is {MPII_ANNOTATIONS.source}"
        ) from error


def _listed(cells: Any) -> Iterator[tuple[str, int, Any]]:
    """From 3 x N cells - a picture's listed people (from 1), its name, all its people - the listed ones."""
    for listed, picture, people in np.reshape(cells, (3, -1)).T:
        for number in np.atleast_1d(listed).astype(int) - 1:
            yield str(picture), int(number), np.atleast_1d(people)[number]


def _packed(people: Iterable[tuple[str, int, Any]]) -> _Annotations:
    pictures, place, head, centre, scale, pose = [], [], [], [], [], []
    for picture, number, person in people:
        pictures.append(picture)
        place.append(number)
        head.append(np.asarray(person.head, float).reshape(4))
        centre.append(np.asarray(person.objpos, float).reshape(2))
        scale.append(float(person.scale))
        pose.append(by_joint(person.pose, len(MPII), 2))
    if not pictures:
        raise ValueError("nobody is listed")
    return _Annotations(pictures, place, np.array(head), np.array(centre), np.array(scale), np.array(pose))
