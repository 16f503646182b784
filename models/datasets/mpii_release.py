"""The annotation file of MPII's owners, mpii_human_pose_v1_u12_1.mat: single people of the pictures with labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.datasets.formats import mat_file
from models.datasets.samples import Floats

NAME = "mpii_human_pose_v1_u12_1.mat"
VARIABLE = "RELEASE"

_JOINTS = 16


class ReleasedPerson:
    """An annotated person, with the fields that deephar's file has."""

    def __init__(self, annotated: Any) -> None:
        self.head = [annotated.x1, annotated.y1, annotated.x2, annotated.y2]
        self.objpos = [annotated.objpos.x, annotated.objpos.y]
        self.scale = annotated.scale
        self.pose = _pose(annotated.annopoints).T


def find(folder: Path) -> Path | None:
    """The file in a data set's folder, or where its archive unpacks it to."""
    places = (folder / NAME, folder / "mpii_human_pose_v1_u12_2" / NAME)
    return next((place for place in places if place.is_file()), None)


def people(file: Path) -> Iterator[tuple[str, int, ReleasedPerson]]:
    """The single people of the pictures that have labels: picture, number in it (from 0), annotation.

    People without joints, place or scale, as there are some, are left out.

    Raises:
        DataProblem: The file is damaged.
        AttributeError: It is of another form; as IndexError, TypeError and ValueError.
    """
    release = mat_file.value(file, VARIABLE)
    pictures, labelled = np.atleast_1d(release.annolist), np.atleast_1d(release.img_train)
    singles = np.atleast_1d(release.single_person)
    if not len(pictures) == len(labelled) == len(singles):
        raise ValueError(f"{len(pictures)} pictures, {len(labelled)} of img_train, {len(singles)} of single_person")
    for picture, is_labelled, listed in zip(pictures, labelled, singles, strict=True):
        if not is_labelled:
            continue
        annotated = np.atleast_1d(picture.annorect)
        for number in np.atleast_1d(listed).astype(int) - 1:
            person = annotated[number]
            if _is_complete(person):
                yield str(picture.image.name), int(number), ReleasedPerson(person)


def _is_complete(annotated: Any) -> bool:
    """Whether no field is empty: scipy reads empty structs as empty arrays."""
    has_joints = hasattr(getattr(annotated, "annopoints", None), "point")
    has_place = hasattr(getattr(annotated, "objpos", None), "x")
    return has_joints and has_place and np.size(annotated.scale) == 1


def _pose(points: Any) -> Floats:
    """(16, 2), NaN where a joint is not annotated."""
    pose = np.full((_JOINTS, 2), np.nan)
    for point in np.atleast_1d(points.point):
        pose[int(point.id)] = point.x, point.y
    return pose
