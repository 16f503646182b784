"""Penn Action: 2326 sequences of 15 actions with the 2D joints of one person.

DIR/annotations.mat             of deephar (or penn_annotations.mat), or DIR/labels/0001.mat ... of the owners
DIR/frames/0001/000001.jpg
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.io import loadmat

from models.datasets.annotations import absent, fingerprint_of, inspect_annotations, missing_text, wanted_split
from models.datasets.boxes import OWN_CLIP_BOXES, OWN_FRAME_BOXES, FrameBoxes, PredictedBoxes, Where, read_boxes
from models.datasets.check import Finding, State
from models.datasets.clip_windows import windows
from models.datasets.formats import mat_file
from models.datasets.formats.content import foreign_content
from models.datasets.pictures import inspect_pictures, read_picture
from models.datasets.problem import DataProblem
from models.datasets.published import PENN_ANNOTATIONS, PENN_CLIP_BOXES, PENN_FRAME_BOXES, PENN_PAGE, Published
from models.datasets.samples import Bools, Clip, Dataset, Floats, Pixels
from models.files.checksums import md5_of
from models.protocol.joints import PENN
from models.protocol.labels import PENN_ACTIONS

SPLITS = ("train", "test")
_VARIABLES = {"train": "sequences_tr", "test": "sequences_te"}
_SOURCE = f"{PENN_ANNOTATIONS.source}; or labels/*.mat of {PENN_PAGE}"


@dataclass(frozen=True, eq=False)
class _Sequence:
    number: int  # of the folder with its frames
    action: int  # from 0
    size: tuple[int, int]
    frames: list[int]  # numbers of the pictures
    keypoints: Floats  # (T, 13, 2), NaN where not annotated
    visible: Bools  # (T, 13)


class PennAction(Dataset[Clip]):
    """A split. Poses are in memory, about 20 MB of them; pictures are read when asked for."""

    name = "penn"

    def __init__(
        self,
        folder: Path,
        split: str,
        sequences: Sequence[_Sequence],
        labels: tuple[str, ...],
        sources: Sequence[Path],
        where: Where,
        boxes: PredictedBoxes | None,
    ) -> None:
        self.split, self.labels = split, labels
        self._folder, self._sequences, self._sources = folder, sequences, sources
        self._where, self._boxes = where, boxes

    def __len__(self) -> int:
        return len(self._sequences)

    def __getitem__(self, index: int) -> Clip:
        held = self._sequences[index]
        return Clip(
            key=f"{held.number:04d}",
            action=held.action,
            frames=len(held.frames),
            image_size=held.size,
            read=partial(self._read, held),
            joints=PENN,
            keypoints=held.keypoints,
            visible=held.visible,
            window_of=windows(
                self._where, self._boxes, str(index % len(self)), held.keypoints, held.visible, held.size
            ),
        )

    def _read(self, held: _Sequence, frame: int) -> Pixels:
        file = self._folder / "frames" / f"{held.number:04d}" / f"{held.frames[frame]:06d}.jpg"
        return read_picture(file)

    def fingerprint(self) -> str:
        return fingerprint_of(self._sources, self.split, len(self))


def open_split(folder: Path, split: str, *, boxes: Where = "annotated") -> PennAction:
    """A split of Penn Action.

    Args:
        folder: Of the data set.
        split: One of SPLITS.
        boxes: Where clips' windows come from: "annotated" poses, the whole "image", or a file of predicted boxes.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    wanted_split("penn", split, SPLITS)
    file = PENN_ANNOTATIONS.find(folder)
    if file is not None:
        sources, labels = [file], _labels(file)
        sequences = [_of_deephar(file, element) for element in mat_file.elements(file, _VARIABLES[split])]
    else:
        labels = PENN_ACTIONS
        sources, sequences = _of_owners(folder, split)
    if not sequences:
        raise DataProblem(f"{folder} has no sequence of the split {split}. Wanted is {_SOURCE}")
    predicted = read_boxes(boxes, split) if isinstance(boxes, Path) else None
    if isinstance(predicted, FrameBoxes) and len(predicted.by_sequence) > len(sequences):
        raise DataProblem(
            f"{boxes} has boxes of {len(predicted.by_sequence)} sequences, {folder} has {len(sequences)}: it belongs "
            "to other annotations. Make one: deephar-models data boxes penn"
        )
    return PennAction(folder, split, sequences, labels, sources, boxes, predicted)


def inspect(folder: Path) -> list[Finding]:
    """What of Penn Action lies in a folder."""
    sequences: list[_Sequence] = []

    def read(_: Path) -> str:
        parts = []
        for split in SPLITS:
            opened = open_split(folder, split)
            sequences.extend(opened._sequences)
            parts.append(f"{len(opened):,} sequences in {split}")
        return ", ".join(parts)

    owners = folder / "labels"
    if PENN_ANNOTATIONS.find(folder) is not None:
        annotations, _ = inspect_annotations(folder, PENN_ANNOTATIONS, read)
    elif owners.is_dir():
        try:
            annotations = Finding("labels/*.mat", State.OK, read(owners), PENN_PAGE)
        except DataProblem as problem:
            annotations = Finding("labels/*.mat", State.WRONG, str(problem), PENN_PAGE)
    else:
        text = absent(folder, PENN_ANNOTATIONS.name)
        annotations = Finding("annotations.mat or labels/*.mat", State.MISSING, text, _SOURCE)
    wanted = [f"frames/{held.number:04d}/{frame:06d}.jpg" for held in sequences for frame in held.frames]
    return [
        annotations,
        inspect_pictures(folder, "frames/*/*.jpg", wanted, PENN_PAGE),
        _inspect_boxes(folder, PENN_FRAME_BOXES, OWN_FRAME_BOXES, "the multitask protocol"),
        _inspect_boxes(folder, PENN_CLIP_BOXES, OWN_CLIP_BOXES, "the merge protocol"),
    ]


def _inspect_boxes(folder: Path, published: Published, own: str, protocol: str) -> Finding:
    """Whether the published file, or one that `deephar-models data boxes` wrote, is there and can be read."""
    source = f"{published.source}\nor made by: deephar-models data boxes penn --data {shlex.quote(str(folder))}"
    file = published.find(folder)
    made = folder / own
    if file is None and not made.is_file():
        return Finding(published.name, State.MISSING, f"not there; {protocol} needs it", source)
    try:
        boxes = read_boxes(file or made, "test")
    except DataProblem as problem:
        return Finding((file or made).name, State.WRONG, str(problem), source)
    count = f"{len(boxes.by_sequence):,} sequences" if isinstance(boxes, FrameBoxes) else f"{len(boxes.by_key):,} clips"
    if file is None:
        return Finding(own, State.OK, f"boxes of {count} in test, made here; for {protocol}", source)
    if published.md5 not in (None, md5_of(file)):
        text = f"boxes of {count} in test; another version than the published one, whose figures are known"
        return Finding(file.name, State.UNKNOWN, text, source)
    return Finding(file.name, State.OK, f"boxes of {count} in test; for {protocol}", source)


def _labels(file: Path) -> tuple[str, ...]:
    labels = tuple(str(label) for label in np.atleast_1d(mat_file.value(file, "action_labels")))
    if len(labels) != len(PENN_ACTIONS):
        raise DataProblem(f"{file} names {len(labels)} actions, not {len(PENN_ACTIONS)}: wanted is {_SOURCE}")
    return labels


def _of_deephar(file: Path, element: object) -> _Sequence:
    """A sequence of deephar's annotations: frames with f, w, h, pose (2 x 13) and visible (13)."""
    try:
        number, action = int(element.idx), int(element.action_id) - 1  # type: ignore[attr-defined]
        frames = list(np.atleast_1d(element.frames))  # type: ignore[attr-defined]
        points = np.stack([np.asarray(frame.pose, np.float64).T for frame in frames]).reshape(-1, len(PENN), 2)
        flags = np.stack([np.asarray(frame.visible) for frame in frames]).reshape(-1, len(PENN))
        size = int(frames[0].w), int(frames[0].h)
        numbers = [int(frame.f) for frame in frames]
    except (AttributeError, TypeError, ValueError, IndexError) as error:
        raise DataProblem(f"{file} holds no sequences as deephar wrote them ({error}). Wanted is {_SOURCE}") from error
    if not 0 <= action < len(PENN_ACTIONS):
        raise DataProblem(f"{file} has an action {action + 1} of {len(PENN_ACTIONS)}: wanted is {_SOURCE}")
    keypoints, visible = _annotated(points, flags)
    return _Sequence(number, action, size, numbers, keypoints, visible)


def _of_owners(folder: Path, split: str) -> tuple[list[Path], list[_Sequence]]:
    """The split's sequences of the owners' labels, and the files of all of them."""
    files = sorted(folder.glob("labels/*.mat"))
    if not files:
        raise DataProblem(missing_text("penn", folder, PENN_ANNOTATIONS.name, _SOURCE))
    return files, list(_owners_sequences(files, split))


def _owners_sequences(files: Sequence[Path], split: str) -> Iterator[_Sequence]:
    for file in files:
        try:
            held = loadmat(file, squeeze_me=True)
            if (int(held["train"]) == 1) != (split == "train"):
                continue
            # The arrays' length is the number of frames: `nframes` and the third of `dimensions` can wrap at 256.
            points = np.stack([held["x"], held["y"]], axis=-1).astype(np.float64).reshape(-1, len(PENN), 2)
            flags = np.asarray(held["visibility"]).reshape(-1, len(PENN))
            height, width = (int(side) for side in held["dimensions"][:2])
            action, number = PENN_ACTIONS.index(str(held["action"])), int(file.stem)
            outside = (points == 1).all(axis=-1)
            keypoints, visible = _annotated(points, (flags > 0) & ~outside)
        except Exception as error:  # scipy's reader raises whatever a damaged file makes it
            why = foreign_content(file) or f"it holds no labels as the owners wrote them ({error})"
            raise DataProblem(f"{file}: {why}. Download it again from {PENN_PAGE}") from error
        yield _Sequence(number, action, (width, height), list(range(1, len(points) + 1)), keypoints, visible)


def _annotated(points: Floats, flags: np.ndarray) -> tuple[Floats, Bools]:
    """Points (T, 13, 2) and flags (T, 13) as the original reads them.

    Hidden joints and those with a coordinate of 0 are not annotated.
    """
    visible = np.asarray((flags > 0) & (points != 0).all(axis=-1) & np.isfinite(points).all(axis=-1))
    return np.where(visible[..., None], points, np.nan), visible
