"""`deephar-models data boxes`: boxes of people in Penn Action and NTU RGB+D, by the detector."""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import click

from models.datasets.boxes import LINES, OWN_CLIP_BOXES, OWN_FRAME_BOXES
from models.datasets.boxes_making import MARGIN, UnfinishedBoxes, make, write_as_published
from models.datasets.catalogue import open_split
from models.datasets.pictures import named
from models.datasets.problem import DataProblem
from models.failure import failed, text_of
from models.files.folders import repository_folder

SPLITS = ("test", "train")


@click.command(short_help="Make the files of people's boxes that penn and ntu lack.")
@click.argument("dataset", type=click.Choice(["penn", "ntu"]), metavar="DATASET")
@click.option(
    "--data",
    "folder",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the data set.",
)
@click.option(
    "--split",
    "splits",
    type=click.Choice(SPLITS),
    multiple=True,
    help="Only this one.  [default: both]",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the boxes of frames; Penn Action's boxes of clips are written beside it.  [default: in --data]",
)
@click.option(
    "--target",
    default="onnx",
    show_default=True,
    metavar="onnx|HOST:PORT",
    help="What runs the detector: ONNX Runtime here, or a Triton (gRPC) that serves it.",
)
@click.option(
    "--repository",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=repository_folder,
    show_default="the service's",
    help="Where the detector `person` lies.",
)
@click.option(
    "--leave-out",
    is_flag=True,
    help="Write the files without the sequences that cannot be read; an evaluation counts their clips as failed.",
)
def command(
    dataset: str,
    folder: Path,
    splits: tuple[str, ...],
    out: Path | None,
    target: str,
    repository: Path,
    leave_out: bool,
) -> int:
    """Find the person in each frame of DATASET, penn or ntu, and write the files of boxes that the protocols read.

    What is stopped goes on where it was when the same command is given again. Frames in which the person is not found
    get the box of the nearest frame; sequences without anybody, the whole image.
    """
    file = out or folder / (OWN_FRAME_BOXES if dataset == "penn" else Path(OWN_FRAME_BOXES).stem + LINES)
    try:
        return _boxes(dataset, folder, splits or SPLITS, file, target, repository, leave_out)
    except DataProblem as problem:
        return failed(str(problem))
    except OSError as error:
        return failed(text_of(error, file))


def _boxes(
    dataset: str, folder: Path, splits: tuple[str, ...], file: Path, target: str, repository: Path, leave_out: bool
) -> int:
    from tqdm import tqdm

    from models.datasets.detection.detector import open_detector

    if dataset == "ntu" and file.suffix != LINES:
        raise DataProblem(f"boxes of ntu are lines: name a file that ends with {LINES}, not {file.name}")
    opened = [open_split(dataset, folder, split) for split in dict.fromkeys(splits)]
    detector = open_detector(repository, target)
    made_of = {
        "data": {part.split: part.fingerprint() for part in opened},
        "detector": detector.sha256,
        "margin": MARGIN,
    }
    unfinished = UnfinishedBoxes(file, made_of)
    total = sum(len(part) for part in opened)
    with closing(unfinished):  # nobody else begins it before it is put in its place
        if unfinished.done:
            print(f"{len(unfinished.done):,} of {total:,} sequences are there; going on", file=sys.stderr)
        done = len(unfinished.done)
        with tqdm(total=total, initial=done, unit=" sequences", dynamic_ncols=True, disable=None) as bar:
            unread = make(opened, detector, unfinished, bar.update)
        if unread:
            text = f"{len(unread):,} sequences could not be read: {named(unread)}"
            if not leave_out:
                return failed(
                    f"{text}. The others are kept in {unfinished.file}; with these repaired, give the same command "
                    "again, or with --leave-out without them"
                )
            print(f"{text}. They are left out", file=sys.stderr)
        print(_summary(unfinished))
        if dataset == "ntu":
            os.replace(unfinished.file, file)
            print(f"{file} is written")
            return 0
        clips = file.with_name(OWN_CLIP_BOXES if file.name == OWN_FRAME_BOXES else f"{file.stem}_clips{file.suffix}")
        write_as_published(unfinished, file, clips)
        unfinished.file.unlink()
        print(f"{file} is written" + (f", and {clips.name} beside it" if "test" in splits else ""))
        return 0


def _summary(unfinished: UnfinishedBoxes) -> str:
    sequences = frames = found = 0
    empty = []
    for row in unfinished.rows():
        sequences, frames, found = sequences + 1, frames + len(row.boxes), found + row.found
        if row.is_whole_image:
            empty.append(f"{row.sequence} ({row.split})")
    text = f"{frames:,} frames of {sequences:,} sequences; the person was found in {found:,}"
    if found < frames:
        text += f", the other {frames - found:,} have the nearest frame's box or the whole image"
    if empty:
        text += f"\nnobody was found in {len(empty):,} sequences, which have the whole image: {named(empty)}"
    return text
