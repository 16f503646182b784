"""The files that training and evaluating `lite` need: whether they are there, and where they come from.

    python -m models.lite.needed_files evaluate --data ../shared/data

Needs the standard library only: it runs before any environment is made.
"""

from __future__ import annotations

import argparse
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

_POSES = ("jpeg", "offsets", "joints", "visibility")
_BOXES = ("jpeg", "offsets", "boxes", "box_offsets", "tier", "split")


@dataclass(frozen=True)
class NeededFile:
    """A file of the data folder."""

    name: str
    arrays: tuple[str, ...]  # that it must hold; empty: it is no .npz
    content: str
    source: str
    uses: tuple[str, ...] = ("train", "evaluate")


_LSPET = [
    NeededFile(
        f"pose2d_lspet_{part}.npz",
        _POSES,
        "people of Leeds Sports Pose Extended",
        "http://sam.johnson.io/research/lspet.html",
        ("train",),
    )
    for part in range(3)
]
_BOXED = [
    NeededFile(
        f"people_boxes_{part}.npz",
        _BOXES,
        "pictures with boxes of all people in them",
        "VOC http://host.robots.ox.ac.uk/pascal/VOC, COCO https://cocodataset.org, and pictures of your own",
    )
    for part in range(3)
]
NEEDED = (
    NeededFile(
        "pose2d_lsp_train.npz",
        _POSES,
        "the 1,000 training people of Leeds Sports Pose",
        "http://sam.johnson.io/research/lsp.html",
    ),
    *_LSPET,
    *_BOXED,
    NeededFile(
        "people_everyday.npz",
        ("jpeg", "offsets", "boxes", "box_offsets", "source"),
        "everyday pictures of people with boxes that a detector proposed",
        "pictures of your own",
        ("train",),
    ),
    NeededFile("backgrounds.npz", ("jpeg", "offsets"), "photographs without people", "pictures of your own"),
    NeededFile(
        "cmu3d_30fps.npz",
        ("xyz", "offsets", "action", "split", "filename"),
        "CMU's motion capture, 38 joints, 30 poses a second",
        "http://mocap.cs.cmu.edu",
    ),
    NeededFile(
        "msr_action3d.npz",
        ("xyzc", "offsets", "action", "action_names", "subject"),
        "MSR Action3D's skeletons",
        "https://sites.google.com/view/wanqingli/data-sets/msr-action3d",
    ),
    NeededFile(
        "penn_labels.npz",
        ("action", "action_names", "train", "offsets", "xy", "visibility"),
        "Penn Action's annotated joints, without its pictures",
        "https://dreamdragon.github.io/PennAction",
    ),
    NeededFile("clips/manifest.csv", (), "videos with the action of each", "videos of your own", ("evaluate",)),
)


def problem_of(file: NeededFile, data: Path) -> str | None:
    """What is wrong with a file, in words; None where it is there, whole and of the form that is wanted."""
    path = data / file.name
    if not path.is_file():
        return "missing"
    if not file.arrays:
        return None
    if not zipfile.is_zipfile(path):
        return f"cut, or no .npz file ({path.stat().st_size:,} bytes)"
    with zipfile.ZipFile(path) as archive:
        held = {name.removesuffix(".npy") for name in archive.namelist()}
    lacking = [name for name in file.arrays if name not in held]
    return f"of another form: it lacks the arrays {', '.join(lacking)}" if lacking else None


def problems(use: str, data: Path) -> Iterator[str]:
    """What is wrong with the files of a use, two lines for each group of them."""
    wrong = [(file, problem) for file in NEEDED if use in file.uses and (problem := problem_of(file, data))]
    for (problem, content, source), group in groupby(wrong, lambda one: (one[1], one[0].content, one[0].source)):
        names = ", ".join(file.name for file, _ in group)
        yield f"  {names}: {problem}\n      {content}. From: {source}"


def main() -> int:
    """Checks the files of one use. Returns 1 where some are not as they should be."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("use", choices=["train", "evaluate"])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    found = list(problems(arguments.use, arguments.data))
    if not found:
        return 0
    there = "" if arguments.data.is_dir() else " (there is no such folder)"
    print(f"make {arguments.use}-lite needs data in {arguments.data}{there}:", *found, sep="\n", file=sys.stderr)
    print(
        "Another folder: make "
        f'{arguments.use}-lite DATA=FOLDER. Arrays of the files: docs/datasets.md, "The files of lite".',
        file=sys.stderr,
    )
    return 1


if __name__ == "__main__":
    sys.exit(main())
