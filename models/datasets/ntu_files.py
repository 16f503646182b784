"""The files of NTU RGB+D with a sequence's joints: those of deephar's authors and those of the owners."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from models.datasets import ntu_skeletons
from models.datasets.formats.content import foreign_content
from models.datasets.problem import DataProblem
from models.datasets.published import NTU_PAGE, NTU_POSES
from models.datasets.samples import Floats
from models.protocol.labels import NTU_ACTIONS

NUMPY, SKELETONS, PICTURES, VIDEOS = "nturgb+d_numpy", "nturgb+d_skeletons", "images-small", "nturgb+d_rgb"
SOURCE = f"{NTU_POSES}, as {NUMPY}/*.npy; or {SKELETONS}/*.skeleton of {NTU_PAGE}"
Protocol = Literal["cross-subject", "cross-view"]

_ID = re.compile(r"S(\d{3})C(\d{3})P(\d{3})R(\d{3})A(\d{3})")
_SETUPS = 17  # later ones are those of NTU RGB+D 120
_TRAIN_SUBJECTS = {1, 2, 4, 5, 8, 9, 13, 14, 15, 16, 17, 18, 19, 25, 27, 28, 31, 34, 35, 38}
_TRAIN_CAMERAS = {2, 3}
_COLUMNS = 75  # u, v and depth of the joints: the last columns of a row, whose first is the frame's number


@dataclass(frozen=True)
class Annotation:
    """The file with a sequence's joints."""

    id: str
    file: Path

    @property
    def action(self) -> int:
        """From 0."""
        return int(self.id[-3:]) - 1

    def is_train(self, protocol: Protocol) -> bool:
        camera, person = int(self.id[5:8]), int(self.id[9:12])
        return person in _TRAIN_SUBJECTS if protocol == "cross-subject" else camera in _TRAIN_CAMERAS

    def has_body(self) -> bool:
        """Whether anybody is in any frame.

        Raises:
            DataProblem: The file is damaged.
        """
        return self.file.suffix == ".npy" or ntu_skeletons.has_body(self.file)

    def is_whole(self) -> bool:
        """Whether it can be read, and has a body."""
        try:
            return self.has_body()
        except DataProblem:
            return False

    def read(self) -> tuple[list[int], Floats]:
        """Numbers of the frames, from 1, and u, v in full-HD pixels and depth in mm: (T, 25, 3).

        Raises:
            DataProblem: The file is missing or damaged.
        """
        if self.file.suffix == ".skeleton":
            frames, joints = ntu_skeletons.main_body(self.file)
            return [frame + 1 for frame in frames], joints
        try:
            rows = np.load(self.file, allow_pickle=False)
            joints = rows[:, -_COLUMNS:].reshape(len(rows), 3, -1).swapaxes(1, 2).astype(np.float64)
            numbers = rows[:, 0].astype(int).tolist()
        except (OSError, ValueError, IndexError, EOFError) as error:
            why = (foreign_content(self.file) if self.file.is_file() else None) or str(error)
            raise DataProblem(f"{self.file}: {why}. Download it again from {NTU_POSES}") from error
        if not numbers or rows.shape[1] <= _COLUMNS:
            raise DataProblem(f"{self.file} is {rows.shape}, not frames x 151: it is another file than {NTU_POSES}")
        return numbers, joints


def annotation_files(folder: Path) -> list[Annotation]:
    """The annotation files in a folder by name; those of deephar where both kinds are there."""
    for place, suffix in ((NUMPY, ".npy"), (SKELETONS, ".skeleton")):
        # Not a glob, which says nothing of a folder that may not be read.
        files = (folder / place).iterdir() if (folder / place).is_dir() else ()
        found = [
            Annotation(file.stem, file) for file in sorted(files) if file.suffix == suffix and _is_of_the_60(file.stem)
        ]
        if found:
            return found
    return []


def _is_of_the_60(name: str) -> bool:
    parts = _ID.fullmatch(name)
    return parts is not None and int(parts[1]) <= _SETUPS and int(parts[5]) <= len(NTU_ACTIONS)
