"""What of NTU RGB+D lies in a folder."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from models.datasets.annotations import absent
from models.datasets.check import Finding, State
from models.datasets.content import beside
from models.datasets.ntu_files import NUMPY, PICTURES, SKELETONS, SOURCE, VIDEOS, Annotation
from models.datasets.pictures import SAMPLED, named
from models.datasets.problem import DataProblem
from models.datasets.published import NTU_PAGE, NTU_POSES
from models.datasets.samples import Clip, Dataset

WITH_SKELETONS = 56_578  # of the 56 880 sequences; the other 302 have none or a broken one
DECODED = 16  # sequences whose pictures are decoded, spread over all


def inspection(folder: Path, found: Sequence[Annotation], spread: Dataset[Clip]) -> list[Finding]:
    """Whether annotations and pictures are there and can be read.

    Args:
        folder: Of the data set.
        found: Its annotation files.
        spread: A few of the sequences, whose pictures are decoded.
    """
    if not found:
        text = absent(folder, NUMPY)
        return [
            Finding(f"{NUMPY}/*.npy or {SKELETONS}/*.skeleton", State.MISSING, text, SOURCE),
            Finding(f"{PICTURES}/*/*.jpg or {VIDEOS}/*_rgb.avi", State.MISSING, text, NTU_PAGE),
        ]
    return [_inspect_annotations(found), _inspect_pictures(folder, found, spread)]


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


def _inspect_pictures(folder: Path, found: Sequence[Annotation], spread: Dataset[Clip]) -> Finding:
    folders = _names(folder / PICTURES)
    videos = _names(folder / VIDEOS)
    what = f"{PICTURES}/*/*.jpg" if folders else f"{VIDEOS}/*_rgb.avi"
    missing = [a.id for a in found if a.id not in folders and f"{a.id}_rgb.avi" not in videos]
    text = f"pictures of {len(found) - len(missing):,} of {len(found):,} sequences are there"
    if missing:
        text = "; ".join([f"{text}; missing: {named(missing)}", *beside(folder)])
        return Finding(what, State.MISSING, text, NTU_PAGE)
    damaged = []
    for at in range(len(spread)):
        try:
            clip = spread[at]
            clip.read(0)
            clip.read(clip.frames - 1)
        except DataProblem as problem:
            damaged.append(str(problem))
    if damaged:
        return Finding(what, State.WRONG, f"{text}, but damaged are: {named(damaged)}", NTU_PAGE)
    return Finding(what, State.OK, f"{text} (first and last frame of {len(spread)} were decoded)", NTU_PAGE)


def _names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()} if folder.is_dir() else set()
