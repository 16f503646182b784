"""What Leeds Sports Pose and its extension share: joints.mat and one person a picture.

The original does not know these data sets. In the field a network gets the whole picture, which is scaled and cut
around the person, or the surroundings of the annotated joints.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from models.datasets.annotations import absent, fingerprint_of, missing_text, wanted_split
from models.datasets.check import Finding, State
from models.datasets.formats import mat_file
from models.datasets.pictures import PictureFile, inspect_pictures, picture_size
from models.datasets.problem import DataProblem
from models.datasets.samples import Bools, Dataset, Floats, Person
from models.protocol.boxes import POSE_MARGIN, clip_window
from models.protocol.joints import LSP
from models.protocol.window import Window

Around = Literal["picture", "joints"]
ANNOTATIONS = "joints.mat"


@dataclass(frozen=True)
class Form:
    """In what one of the two differs from the other."""

    name: str
    title: str
    source: str
    splits: tuple[str, ...]
    people: int  # published
    axes: tuple[int, int, int]  # of the array in the file, that become people, joints, x y flag
    digits: int  # of the pictures' numbers
    flag_means_occluded: bool  # else: annotated


class Leeds(Dataset[Person]):
    """A split of Leeds Sports Pose or its extension."""

    def __init__(self, form: Form, folder: Path, split: str, around: Around, margin: float) -> None:
        if around not in get_args(Around):
            raise DataProblem(f"the window is taken around {' or '.join(get_args(Around))}, not {around!r}")
        self.name = form.name
        self.split = wanted_split(form.name, split, form.splits)
        self._form, self._folder, self._around, self._margin = form, folder, around, margin
        self._file = _annotation_file(form, folder)
        keypoints, visible = _read(form, self._file)
        # Published in this order: the first 1,000 of 2,000 are for training.
        share = len(keypoints) // len(form.splits)
        self._first = form.splits.index(split) * share
        part = slice(self._first, self._first + share)
        self._keypoints_px, self._visible = keypoints[part], visible[part]

    def __len__(self) -> int:
        return len(self._keypoints_px)

    def __getitem__(self, index: int) -> Person:
        keypoints = self._keypoints_px[index]  # raises IndexError
        picture = self._folder / _picture(self._form, self._first + index % len(self))
        size = picture_size(picture)
        return Person(
            key=picture.stem,
            image_size=size,
            read=PictureFile(picture),
            joints=LSP,
            keypoints_px=keypoints,
            visible=self._visible[index],
            window=self._window(keypoints, size).at_least_smallest(),
        )

    def fingerprint(self) -> str:
        return fingerprint_of([self._file], self.split, len(self), f"{self._around} {self._margin}")

    def _window(self, keypoints_px: Floats, size: tuple[int, int]) -> Window:
        if self._around == "picture":
            return Window.of_whole_image(*size)
        return clip_window(keypoints_px[None], np.isfinite(keypoints_px[None]).all(axis=-1), size, self._margin)


def open_split(form: Form, folder: Path, split: str, around: Around = "picture", margin: float = POSE_MARGIN) -> Leeds:
    """A split of the data set.

    Args:
        form: Which of the two.
        folder: Of the data set.
        split: One of the form's splits.
        around: What the window encloses: the whole picture, or the annotated joints, which tells the network where the
            person is.
        margin: Side of the window over the longer side of the joints' box.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    return Leeds(form, folder, split, around, margin)


def inspect(form: Form, folder: Path) -> list[Finding]:
    """What of the data set lies in a folder."""
    file = folder / ANNOTATIONS
    pictures = partial(inspect_pictures, folder, "images/im*.jpg", source=form.source)
    if not file.is_file():
        return [Finding(ANNOTATIONS, State.MISSING, absent(folder, ANNOTATIONS), form.source), pictures([])]
    try:
        people = len(_read(form, file)[0])
    except DataProblem as problem:
        return [Finding(ANNOTATIONS, State.WRONG, str(problem), form.source), pictures([])]
    published = people == form.people
    found = f"{people:,} people" + ("" if published else f"; the published version has {form.people:,}")
    state = State.OK if published else State.UNKNOWN
    wanted = [_picture(form, index) for index in range(people)]
    return [Finding(ANNOTATIONS, state, found, form.source), pictures(wanted)]


def _picture(form: Form, index: int) -> str:
    return f"images/im{index + 1:0{form.digits}d}.jpg"


def _annotation_file(form: Form, folder: Path) -> Path:
    file = folder / ANNOTATIONS
    if not file.is_file():
        raise DataProblem(missing_text(form.name, folder, ANNOTATIONS, form.source))
    return file


def _read(form: Form, file: Path) -> tuple[Floats, Bools]:
    """Joints (N, 14, 2), NaN where they are not annotated, and which are visible (N, 14)."""
    array = np.asarray(mat_file.value(file, "joints"))
    by_person = array.transpose(form.axes) if array.ndim == len(form.axes) else array
    if by_person.shape[1:] != (len(LSP), 3) or not np.issubdtype(array.dtype, np.number):
        raise DataProblem(
            f"{file} holds joints of shape {array.shape}, not {form.title}'s. Wanted is joints.mat of {form.source}"
        )
    keypoints, flag = by_person[..., :2].astype(np.float64), np.asarray(by_person[..., 2] > 0)
    if form.flag_means_occluded:
        return keypoints, ~flag
    keypoints[~flag] = np.nan
    return keypoints, flag
