"""NTU RGB+D: 56 880 sequences of 60 actions with the 3D joints of one person, in videos of full HD.

    DIR/nturgb+d_numpy/<id>.npy      of deephar, or DIR/nturgb+d_skeletons/<id>.skeleton of the owners
    DIR/images-small/<id>/00001.jpg  made as deephar did, or DIR/nturgb+d_rgb/<id>_rgb.avi of the owners

<id> is such as S001C001P001R001A001: setup, camera, person, repetition, action. Either kind of annotation goes with
either kind of picture. Pictures are used at half size, 960 x 540, and so are the joints.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from models.datasets.annotations import absent, missing_text, wanted_split
from models.datasets.boxes import PredictedBoxes, Where, read_boxes
from models.datasets.check import Finding, State
from models.datasets.clip_windows import windows
from models.datasets.formats.content import beside
from models.datasets.formats.video_frames import VideoFrames
from models.datasets.ntu_files import NUMPY, PICTURES, SKELETONS, SOURCE, VIDEOS, Annotation, Protocol, annotation_files
from models.datasets.pictures import SAMPLED, named, read_picture
from models.datasets.problem import DataProblem
from models.datasets.published import NTU_PAGE, NTU_POSES
from models.datasets.samples import Clip, Dataset, Pixels
from models.protocol.joints import NTU, PA17, Joints, indices
from models.protocol.labels import NTU_ACTIONS

SPLITS = ("train", "test")
SIZE = (960, 540)
WITH_SKELETONS = 56_578  # of the 56 880 sequences; the other 302 have none or a broken one
DECODED = 16  # sequences whose pictures a check decodes, spread over all


class Ntu(Dataset[Clip]):
    """A split. In memory are only the names of the sequences; joints and pictures are read when asked for."""

    name = "ntu"
    labels = NTU_ACTIONS

    def __init__(
        self,
        folder: Path,
        split: str,
        annotations: Sequence[Annotation],
        every: int,
        window_joints: Joints,
        where: Where,
        boxes: PredictedBoxes | None,
    ) -> None:
        self.split, self._annotations = split, annotations
        self._folder, self._every, self._where, self._boxes = folder, every, where, boxes
        self._of_window = indices(NTU, window_joints)
        self._videos = VideoFrames(SIZE)

    def __len__(self) -> int:
        return len(self._annotations)

    def __getitem__(self, index: int) -> Clip:
        annotation = self._annotations[index]
        numbers, joints = annotation.read()
        numbers, joints = numbers[:: self._every], joints[:: self._every] * (0.5, 0.5, 1.0)
        with np.errstate(invalid="ignore"):
            visible = np.asarray((joints > 0).all(axis=-1) & np.isfinite(joints).all(axis=-1))
        keypoints = np.where(visible[..., None], joints, np.nan)
        return Clip(
            key=annotation.id,
            action=annotation.action,
            frames=len(numbers),
            image_size=SIZE,
            read=partial(self._read, annotation.id, numbers),
            joints=NTU,
            keypoints=keypoints,
            visible=visible,
            window_of=windows(
                self._where,
                self._boxes,
                annotation.id,
                keypoints[:, self._of_window],
                visible[:, self._of_window],
                SIZE,
                self._every,
            ),
        )

    def _read(self, name: str, numbers: Sequence[int], frame: int) -> Pixels:
        picture = self._folder / PICTURES / name / f"{numbers[frame]:05d}.jpg"
        if not picture.parent.is_dir():
            return self._videos.read(self._folder / VIDEOS / f"{name}_rgb.avi", numbers[frame] - 1)
        pixels = read_picture(picture)
        if pixels.shape[1::-1] == SIZE:
            return pixels
        return np.asarray(cv2.resize(pixels, SIZE, interpolation=cv2.INTER_CUBIC), np.uint8)

    def fingerprint(self) -> str:
        """SHA-256 over names and sizes of the annotation files, which are too many to read, and how they are used."""
        digest = hashlib.sha256(f"{self.split} {len(self)} {self._every}".encode())
        for annotation in self._annotations:
            digest.update(f"{annotation.file.name} {annotation.file.stat().st_size}\n".encode())
        return digest.hexdigest()


def open_split(
    folder: Path,
    split: str,
    *,
    protocol: Protocol = "cross-subject",
    every: int = 1,
    window_joints: Joints = PA17,
    boxes: Where = "annotated",
) -> Ntu:
    """A split of NTU RGB+D. Samples whose skeleton file has no body are left out.

    Args:
        folder: Of the data set.
        split: One of SPLITS.
        protocol: Which sequences are for training: by the people or by the cameras.
        every: 2 drops every second frame first, as deephar's multitask protocol does; frames then count the others.
        window_joints: Those of the network: the box of annotated poses is around them. The merge network has PA20.
        boxes: Where clips' windows come from: "annotated" poses, the whole "image", or a file of predicted boxes.

    Raises:
        DataProblem: Files are missing or are not those of the data set.
    """
    wanted_split("ntu", split, SPLITS)
    if protocol not in get_args(Protocol):
        raise DataProblem(f"ntu has no protocol {protocol!r} but {', '.join(get_args(Protocol))}")
    found = annotation_files(folder)
    if not found:
        raise DataProblem(missing_text("ntu", folder, NUMPY, SOURCE))
    chosen = [a for a in found if a.is_train(protocol) == (split == "train") and a.has_body()]
    if not chosen:
        raise DataProblem(
            f"{folder} has {len(found):,} annotated sequences, and none of the split {split} in the protocol {protocol}"
        )
    predicted = read_boxes(boxes, split) if isinstance(boxes, Path) else None
    return Ntu(folder, split, chosen, every, window_joints, boxes, predicted)


def inspect(folder: Path) -> list[Finding]:
    """What of NTU RGB+D lies in a folder."""
    found = annotation_files(folder)
    if not found:
        text = absent(folder, NUMPY)
        return [
            Finding(f"{NUMPY}/*.npy or {SKELETONS}/*.skeleton", State.MISSING, text, SOURCE),
            Finding(f"{PICTURES}/*/*.jpg or {VIDEOS}/*_rgb.avi", State.MISSING, text, NTU_PAGE),
        ]
    return [_inspect_annotations(found), _inspect_pictures(folder, found)]


def _inspect_annotations(found: Sequence[Annotation]) -> Finding:
    first = found[0].file
    what, source = f"{first.parent.name}/*{first.suffix}", NTU_POSES if first.suffix == ".npy" else NTU_PAGE
    text = f"{len(found):,} sequences"
    damaged, bodiless = [], []
    for annotation in found:
        try:
            if not annotation.has_body():
                bodiless.append(annotation.id)
        except DataProblem as problem:
            damaged.append(str(problem))
    for annotation in found[:: max(1, len(found) // SAMPLED)]:
        try:
            if annotation.id not in bodiless:
                annotation.read()
        except DataProblem as problem:
            damaged.append(str(problem))
    if damaged:
        return Finding(what, State.WRONG, f"{text}, but damaged are: {named(list(dict.fromkeys(damaged)))}", source)
    if bodiless:
        text += f"; {len(bodiless):,} without a body, which are left out: {named(bodiless)}"
    if len(found) < WITH_SKELETONS:
        text += f"; fewer than the {WITH_SKELETONS:,} that the papers' figures are of"
        return Finding(what, State.UNKNOWN, text, source)
    return Finding(what, State.OK, text, source)


def _inspect_pictures(folder: Path, found: Sequence[Annotation]) -> Finding:
    folders = _names(folder / PICTURES)
    videos = _names(folder / VIDEOS)
    what = f"{PICTURES}/*/*.jpg" if folders else f"{VIDEOS}/*_rgb.avi"
    missing = [a.id for a in found if a.id not in folders and f"{a.id}_rgb.avi" not in videos]
    text = f"pictures of {len(found) - len(missing):,} of {len(found):,} sequences are there"
    if missing:
        text = "; ".join([f"{text}; missing: {named(missing)}", *beside(folder)])
        return Finding(what, State.MISSING, text, NTU_PAGE)
    whole = [annotation for annotation in found if annotation.is_whole()]
    spread = Ntu(folder, "test", whole[:: max(1, len(whole) // DECODED)], 1, PA17, "image", None)
    damaged = []
    for index in range(len(spread)):
        try:
            clip = spread[index]
            clip.read(0)
            clip.read(clip.frames - 1)
        except DataProblem as problem:
            damaged.append(str(problem))
    if damaged:
        return Finding(what, State.WRONG, f"{text}, but damaged are: {named(damaged)}", NTU_PAGE)
    return Finding(what, State.OK, f"{text} (first and last frame of {len(spread)} were decoded)", NTU_PAGE)


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} if folder.is_dir() else set()
