"""COCO's people with keypoints, 2017, as their owners publish them.

The original does not know this data set. The window is the annotated box, made square, with a margin: as the gateway
cuts it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.datasets.annotations import absent, fingerprint_of, missing_text, wanted_split
from models.datasets.check import Finding, State
from models.datasets.formats.json_stream import members
from models.datasets.pictures import PictureFile, inspect_pictures
from models.datasets.problem import DataProblem
from models.datasets.published import COCO_PAGE
from models.datasets.samples import Bools, CocoPerson, Dataset, Floats
from models.protocol.joints import COCO
from models.protocol.window import Window

SPLITS = ("train2017", "val2017")
MARGIN = 1.25  # side of the window over the longer side of the box: COCO's boxes enclose the body, not its joints

_PEOPLE = {"train2017": 149_813, "val2017": 6_352}  # published, with keypoints
_ARCHIVE = f"{COCO_PAGE} (annotations_trainval2017.zip)"


@dataclass(frozen=True, eq=False)
class _Annotations:
    """The people of a split with keypoints."""

    image_id: NDArray[np.int64]  # (N,)
    annotation_id: NDArray[np.int64]  # (N,)
    box: Floats  # (N, 4): x, y, width, height
    area: Floats  # (N,)
    keypoints_px: Floats  # (N, 17, 2)
    visible: Bools  # (N, 17)
    pictures: dict[int, tuple[str, int, int]]  # by image: file's name, width, height


class Coco(Dataset[CocoPerson]):
    """A split of COCO."""

    name = "coco"

    def __init__(self, folder: Path, split: str, margin: float) -> None:
        self.split = wanted_split(self.name, split, SPLITS)
        self._folder, self._margin = folder, margin
        self._file = folder / _annotation_name(split)
        if not self._file.is_file():
            raise DataProblem(missing_text(self.name, folder, _annotation_name(split), _ARCHIVE))
        self._people = _read(self._file)

    def __len__(self) -> int:
        return len(self._people.image_id)

    def __getitem__(self, index: int) -> CocoPerson:
        people = self._people
        image, annotation = int(people.image_id[index]), int(people.annotation_id[index])
        name, width, height = people.pictures[image]
        left, top, box_width, box_height = (float(value) for value in people.box[index])
        box = Window.from_corners(left, top, left + box_width, top + box_height)
        return CocoPerson(
            key=f"{Path(name).stem}#{annotation}",
            image_size=(width, height),
            read=PictureFile(self._folder / self.split / name),
            joints=COCO,
            keypoints_px=people.keypoints_px[index],
            visible=people.visible[index],
            window=box.enlarged_square(self._margin).at_least_smallest(),
            box=(left, top, box_width, box_height),
            image_id=image,
            annotation_id=annotation,
            area=float(people.area[index]),
        )

    def fingerprint(self) -> str:
        return fingerprint_of([self._file], self.split, len(self), f"margin {self._margin}")


def open_split(folder: Path, split: str, margin: float = MARGIN) -> Coco:
    """A split of COCO: people with at least one keypoint; crowds are left out.

    Args:
        folder: Of the data set.
        split: One of SPLITS.
        margin: Side of the window over the longer side of the annotated box: the one of the model.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    return Coco(folder, split, margin)


def inspect(folder: Path) -> list[Finding]:
    """What of COCO lies in a folder, split by split."""
    return [finding for split in SPLITS for finding in _inspect_split(folder, split)]


def _inspect_split(folder: Path, split: str) -> list[Finding]:
    name = _annotation_name(split)
    pictures = partial(inspect_pictures, folder, f"{split}/*.jpg", source=f"{COCO_PAGE} ({split}.zip)")
    if not (folder / name).is_file():
        return [Finding(name, State.MISSING, absent(folder, name), _ARCHIVE), pictures([])]
    try:
        people = _read(folder / name)
    except DataProblem as problem:
        return [Finding(name, State.WRONG, str(problem), _ARCHIVE), pictures([])]
    count = len(people.image_id)
    published = count == _PEOPLE[split]
    found = f"{count:,} people with keypoints" + ("" if published else f"; the published file has {_PEOPLE[split]:,}")
    used = {people.pictures[int(image)][0] for image in np.unique(people.image_id)}
    wanted = [f"{split}/{picture}" for picture in sorted(used)]
    return [
        Finding(name, State.OK if published else State.UNKNOWN, found, _ARCHIVE),
        pictures(wanted),
    ]


def _annotation_name(split: str) -> str:
    return f"annotations/person_keypoints_{split}.json"


def _read(file: Path) -> _Annotations:
    images, annotations, boxes, areas, keypoints = [], [], [], [], []
    pictures: dict[int, tuple[str, int, int]] = {}
    try:
        for name, value in members(file):
            if name == "images":
                pictures[value["id"]] = (value["file_name"], value["width"], value["height"])
            elif name == "annotations" and value["num_keypoints"] > 0 and not value["iscrowd"]:
                images.append(value["image_id"])
                annotations.append(value["id"])
                boxes.append(value["bbox"])
                areas.append(value["area"])
                keypoints.append(np.array(value["keypoints"], np.float32).reshape(len(COCO), 3))
    except (KeyError, TypeError, ValueError) as error:
        raise _unknown_form(file, error) from error
    lacking = set(images) - set(pictures)
    if not images or lacking:
        reason = f"it lacks the pictures {sorted(lacking)[:3]}" if lacking else "nobody has keypoints"
        raise _unknown_form(file, reason)
    points = np.array(keypoints, np.float64)
    annotated = points[..., 2] > 0
    return _Annotations(
        image_id=np.array(images, np.int64),
        annotation_id=np.array(annotations, np.int64),
        box=np.array(boxes, np.float64).reshape(-1, 4),
        area=np.array(areas, np.float64),
        keypoints_px=np.where(annotated[..., None], points[..., :2], np.nan),
        visible=points[..., 2] > 1,
        pictures=pictures,
    )


def _unknown_form(file: Path, reason: object) -> DataProblem:
    return DataProblem(f"{file} is no file of COCO's people with keypoints ({reason}). Wanted is that of {_ARCHIVE}")
