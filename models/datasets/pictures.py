"""Pictures of data sets: read one by one, and checked as a group."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from models.datasets.check import Finding, State
from models.datasets.formats.content import beside, foreign_content
from models.datasets.problem import DataProblem
from models.datasets.samples import Pixels

SAMPLED = 64  # pictures that a check decodes, spread over all
NAMED = 5


def read_picture(file: Path) -> Pixels:
    """The pixels (H, W, 3), RGB, as they are stored: a camera's note on rotation is not followed.

    Raises:
        DataProblem: The file is missing or damaged.
    """
    return np.array(read_image(file))  # a copy: Pillow's own memory is read-only


def read_image(file: Path) -> Image.Image:
    """As `read_picture`, in Pillow's own memory: an array of the whole picture costs more than its decoding.

    Raises:
        DataProblem: The file is missing or damaged.
    """
    with _opened(file) as picture:
        picture.load()
        return picture if picture.mode == "RGB" else picture.convert("RGB")


@dataclass(frozen=True)
class PictureFile:
    """A picture that is read when it is asked for: called, as pixels; by `image`, as Pillow's for a crop of it."""

    file: Path

    def __call__(self) -> Pixels:
        return read_picture(self.file)

    def image(self) -> Image.Image:
        return read_image(self.file)


def picture_size(file: Path) -> tuple[int, int]:
    """Width and height, from the file's head.

    Raises:
        DataProblem: The file is missing or no picture.
    """
    with _opened(file) as picture:
        return picture.size


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    try:
        with Image.open(file) as picture:
            yield picture
    except FileNotFoundError:
        raise DataProblem(f"{file} is missing") from None
    except Image.DecompressionBombError as error:
        raise DataProblem(f"{file} is too large: {error}") from error
    except (OSError, SyntaxError, ValueError) as error:  # whatever Pillow stumbles over in damaged bytes
        if isinstance(error, OSError) and error.errno is not None:
            raise DataProblem(f"{file} cannot be read: {error.strerror}") from error
        raise DataProblem(f"{file} is damaged: {foreign_content(file) or error}") from error


def inspect_pictures(folder: Path, what: str, wanted: Sequence[str], source: str) -> Finding:
    """Whether pictures are there, none is empty, and a sample of them can be decoded.

    Args:
        folder: Of the data set.
        what: The group, as it is named to people.
        wanted: Their names, relative to the folder.
        source: Where they come from.
    """
    if not wanted:
        return Finding(what, State.MISSING, "which are wanted, only the annotations tell", source)
    sizes = _sizes(folder, wanted)
    missing = [name for name in wanted if name not in sizes]
    counted = f"{len(wanted) - len(missing):,} of {len(wanted):,} are there"
    if missing:
        notes = [f"{counted}; missing: {named(missing)}", *beside(folder)]
        return Finding(what, State.MISSING, "; ".join(notes), source)
    unreadable = {name for name in wanted if not sizes[name]}
    step = -(-len(wanted) // SAMPLED)
    for name in islice(wanted, 0, None, step):
        try:
            read_picture(folder / name)
        except DataProblem:
            unreadable.add(name)
    if unreadable:
        return Finding(what, State.WRONG, f"{counted}, but cannot be read: {named(sorted(unreadable))}", source)
    return Finding(what, State.OK, f"{counted} ({len(wanted[::step])} of them were decoded)", source)


def named(names: Sequence[str]) -> str:
    """The first few names, and how many follow."""
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _sizes(folder: Path, wanted: Sequence[str]) -> dict[str, int]:
    """Sizes in bytes of those that are there; lists folders, which is faster than to ask for each file."""
    by_parent: defaultdict[str, set[str]] = defaultdict(set)
    for name in wanted:
        parent, _, file = name.rpartition("/")
        by_parent[parent].add(file)
    found = {}
    for parent, files in by_parent.items():
        place = folder / parent
        for held in place.iterdir() if place.is_dir() else ():
            if held.name in files and held.is_file():
                found[f"{parent}/{held.name}" if parent else held.name] = held.stat().st_size
    return found
