"""Formats of other programs, made of the results of a batch: one file of all pictures, and one of each video."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from deephar.bulk.inputs import Input
from deephar.bulk.output_folder import OutputFolder
from deephar.bulk.results import Poses as Found
from deephar.bulk.results import poses_in
from deephar.formats import FORMATS, Format, FormatError, Poses


def write_format(output: OutputFolder, name: str, inputs: Callable[[], Iterable[Input]]) -> list[Path]:
    """Writes what there is in a format, and returns the files of pictures and the folder of videos.

    A file of pictures is `pictures.csv`, or with the suffix of the format; those of videos, whose events must have been
    kept, are in a folder that is called after the format.

    Args:
        output: With the results; owned by this process.
        name: Of the format.
        inputs: Returns those that have results.

    Raises:
        FormatError: The results lack what the format needs.
    """
    form, written = FORMATS[name], []
    of_pictures = (found for id, _, kind in inputs() if kind == "picture" for found in poses_in(output, id))
    if form.needs != "ids" and _write(output, form, output.folder / f"pictures{form.suffix}", of_pictures):
        written.append(output.folder / f"pictures{form.suffix}")
    for id, _, kind in inputs():
        if kind == "video":
            path = Path(output.product_of(id, name, form.suffix))
            if _write(output, form, path, poses_in(output, id)):
                written.append(output.folder / name)
    if not written:
        raise FormatError(f"nothing can be written as {name}: it is of videos whose events are kept; add --events")
    return list(dict.fromkeys(written))


def _write(output: OutputFolder, form: Format, path: Path, found: Iterator[Found]) -> bool:
    """Writes a file; returns False where there is nothing to write."""
    first = next(found, None)
    if first is None:
        return False
    poses = (_poses(each, number) for number, each in enumerate(itertools.chain([first], found)))
    output.write_lines(path, form.chunks(poses, first.about["layout"]))
    return True


def _poses(found: Found, number: int) -> Poses:
    frame_id = number if found.frame_id is None else found.frame_id
    return Poses(
        found.file, frame_id, found.time_s, found.size.get("width", 0), found.size.get("height", 0), found.people
    )
