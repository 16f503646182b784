"""Human3.6M: deephar's annotation file, and the frames of the owners' videos as pictures.

The owners publish videos, 50 frames a second: frame n (from 1) of a video is wanted as `images/<sequence>/<n>.jpg`,
five digits, where the sequence is named `aAA_sSS_eEE_cCC` by action, subject, subaction and camera.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.datasets.annotations import annotation_file, by_joint, fingerprint_of, inspect_annotations, wanted_split
from models.datasets.check import Finding
from models.datasets.formats import mat_file
from models.datasets.pictures import PictureFile, inspect_pictures
from models.datasets.problem import DataProblem
from models.datasets.published import H36M_ANNOTATIONS, H36M_PAGE
from models.datasets.samples import Dataset, Floats, H36mPerson
from models.protocol.boxes import h36m_window
from models.protocol.camera import Camera
from models.protocol.joints import H36M

SPLITS = ("train", "test", "val")  # val: every 64th frame of the test part's subjects 9 and 11

FRAMES = (
    f"{H36M_PAGE} (the videos). Take each video apart into pictures, its first frame as 00001.jpg:\n"
    "ffmpeg -i VIDEO.mp4 -q:v 2 images/a02_s09_e01_c01/%05d.jpg\n"
    "The owners' metadata.xml says which video is which action, subject and subaction.\n"
    "Cameras c01 to c04 are 54138969, 55011271, 58860488 and 60457274."
)
IMAGE_FOLDERS = ("images", "images.new")  # the original's own copy has the latter

_ACTIONS = 15
_VARIABLES = {"train": "sequences_tr", "test": "sequences_te", "val": "sequences_val"}


@dataclass(frozen=True, eq=False)
class _Sequence:
    """A video of one camera."""

    name: str
    camera: Camera

    @property
    def action(self) -> int:
        return int(self.name[1:3]) - 1


@dataclass(frozen=True, eq=False)
class Annotations:
    """The frames of a split, one after the other."""

    sequences: list[_Sequence]
    sequence: NDArray[np.int32]  # (N,)
    number: NDArray[np.int32]  # (N,), of the frame in its video, from 1
    size: NDArray[np.int32]  # (N, 2), width and height
    world_mm: Floats  # (N, 32, 3), in a file without a name: the whole training part has a gigabyte


class Human36M(Dataset[H36mPerson]):
    """A split of Human3.6M."""

    name = "h36m"

    def __init__(self, folder: Path, split: str) -> None:
        self.split = wanted_split(self.name, split, SPLITS)
        self._file = annotation_file(self.name, folder, H36M_ANNOTATIONS)
        self._images = _image_folder(folder)
        self._frames = read_annotations(self._file, split)
        self.labels = _labels(self._file)

    def __len__(self) -> int:
        return len(self._frames.number)

    def __getitem__(self, index: int) -> H36mPerson:
        frames = self._frames
        sequence = frames.sequences[frames.sequence[index]]
        key = f"{sequence.name}/{frames.number[index]:05d}"
        width, height = (int(side) for side in frames.size[index])
        world = np.array(frames.world_mm[index], np.float64)
        uvz = sequence.camera.project(world)
        window = h36m_window(uvz[H36M.index("pelvis")], (width, height), sequence.camera.focal_px)
        return H36mPerson(
            key=key,
            image_size=(width, height),
            read=PictureFile(self._images / f"{key}.jpg"),
            joints=H36M,
            keypoints_px=uvz[:, :2],
            visible=np.ones(len(H36M), bool),
            window=window.at_least_smallest(),
            world_mm=world,
            uvz=uvz,
            camera=sequence.camera,
            action=sequence.action,
        )

    def fingerprint(self) -> str:
        return fingerprint_of([self._file], self.split, len(self))


def open_split(folder: Path, split: str) -> Human36M:
    """A split of Human3.6M.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    return Human36M(folder, split)


def inspect(folder: Path) -> list[Finding]:
    """What of Human3.6M lies in a folder: the annotations, and each split's frames."""
    place = _image_folder(folder).name
    wanted: dict[str, list[str]] = {split: [] for split in SPLITS}

    def read(file: Path) -> str:
        for split in SPLITS:
            frames = read_annotations(file, split)
            for sequence, number in zip(frames.sequence, frames.number, strict=True):
                wanted[split].append(f"{place}/{frames.sequences[sequence].name}/{number:05d}.jpg")
        return ", ".join(f"{len(names):,} frames in {split}" for split, names in wanted.items())

    annotations, _ = inspect_annotations(folder, H36M_ANNOTATIONS, read)
    pictures = [
        inspect_pictures(folder, f"{place}/*/*.jpg of {split}", names, FRAMES) for split, names in wanted.items()
    ]
    return [annotations, *pictures]


def _image_folder(folder: Path) -> Path:
    return next((folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()), folder / IMAGE_FOLDERS[0])


def _labels(file: Path) -> tuple[str, ...]:
    """By action from 0. The first of Human3.6M's actions is no action but a recording for scale."""
    labels = tuple(str(label).strip() for label in np.atleast_1d(mat_file.value(file, "action_labels")))
    return ("-", *labels) if len(labels) == _ACTIONS else labels


def read_annotations(file: Path, split: str) -> Annotations:
    """The frames of a split.

    Raises:
        DataProblem: The file is not that of Human3.6M.
    """
    variable = _VARIABLES[split]
    sequences: list[_Sequence] = []
    owners, numbers, sizes = [], [], []
    with tempfile.TemporaryFile() as poses:
        for element in mat_file.elements(file, variable):
            try:
                sequence, number, size, world_mm = _packed(element)
            except (AttributeError, IndexError, TypeError, ValueError) as error:
                raise DataProblem(
                    f"{file} holds {variable} in an unknown form ({error}). Wanted is {H36M_ANNOTATIONS.source}"
                ) from error
            owners.append(np.full(len(number), len(sequences), np.int32))
            sequences.append(sequence)
            numbers.append(number)
            sizes.append(size)
            world_mm.tofile(poses)
        if not numbers or not sum(map(len, numbers)):
            raise DataProblem(f"{file} has no frames in {variable}. Wanted is {H36M_ANNOTATIONS.source}")
        poses.flush()
        # The map keeps the file, which has no name any more.
        mapped = np.memmap(poses, np.float64, "r", shape=(sum(map(len, numbers)), len(H36M), 3))
    return Annotations(sequences, np.concatenate(owners), np.concatenate(numbers), np.concatenate(sizes), mapped)


def _packed(element: Any) -> tuple[_Sequence, NDArray[np.int32], NDArray[np.int32], Floats]:
    """A struct of the file: the sequence, its frames' numbers, sizes and poses."""
    name, given = str(element.name), element.camera_parameters
    if not (name[:1] == "a" and name[1:3].isdigit()):
        raise ValueError(f"{name!r} is not the name of a sequence")
    numbers = [np.asarray(values, np.float64).ravel() for values in _camera_fields(given)]
    frames = np.atleast_1d(element.frames)
    return (
        _Sequence(name, Camera.from_numbers(np.concatenate(numbers))),
        np.array([frame.f for frame in frames], np.int32),
        np.array([(frame.w, frame.h) for frame in frames], np.int32).reshape(-1, 2),
        np.array([by_joint(frame.pose3d, len(H36M), 3) for frame in frames]).reshape(-1, len(H36M), 3),
    )


def _camera_fields(given: Any) -> Iterator[Any]:
    """As `Camera.from_numbers` takes them: the file has them by name."""
    yield from (given.R, given.T, given.f, given.c, given.p, given.k)
