"""A data set's annotation file: found, checked against the published version, and told from others by a fingerprint."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from models.datasets.check import Finding, State
from models.datasets.formats.content import beside
from models.datasets.problem import DataProblem
from models.datasets.published import Published
from models.datasets.samples import Floats
from models.files.checksums import md5_of, sha256_of

NAMED = 3  # folders, in one text


def annotation_file(name: str, folder: Path, published: Published) -> Path:
    """The annotation file in a data set's folder.

    Args:
        name: Of the data set, for the message.
        folder: Of the data set.
        published: The file that is wanted.

    Raises:
        DataProblem: It is missing.
    """
    if file := published.find(folder):
        return file
    raise DataProblem(missing_text(name, folder, published.name, published.source))


NAMED = 3  # folders in one text


def missing_text(name: str, folder: Path, file: str, source: str) -> str:
    """What is said of a file without which a data set cannot be opened."""
    if not folder.is_dir():
        return f"{folder} is no folder. {name} is opened by the folder with its {file}"
    return (
        f"{folder} has no {file}{_in_its_place(folder, file)}. It comes from {source}. "
        f"What else is wanted says: deephar-models data check {name} {shlex.quote(str(folder))}"
    )


def absent(folder: Path, file: str) -> str:
    """What is said of an annotation file that is not in its folder."""
    return f"there is no {file}{_in_its_place(folder, file)}"


def _in_its_place(folder: Path, file: str) -> str:
    below = sorted(str(place.parents[file.count("/")]) for place in folder.glob(f"*/{file}"))
    more = f" and {len(below) - NAMED} more" if len(below) > NAMED else ""
    notes = [f"there is one in {', '.join(below[:NAMED])}{more}: name that folder"] if below else []
    return "".join(f"; {note}" for note in (*notes, *beside(folder)))


def inspect_annotations(folder: Path, published: Published, read: Callable[[Path], str]) -> tuple[Finding, Path | None]:
    """Whether an annotation file is there, whole, and the published one.

    Args:
        folder: Of the data set.
        published: The file that is wanted.
        read: Reads it and returns what it holds, in words; raises DataProblem.

    Returns:
        The finding, and the file where it can be read.
    """
    file = published.find(folder)
    if file is None:
        return Finding(published.name, State.MISSING, absent(folder, published.name), published.source), None
    try:
        content = read(file)
    except DataProblem as problem:
        return Finding(file.name, State.WRONG, str(problem), published.source), None
    if published.md5 is None:
        return Finding(file.name, State.OK, content, published.source), file
    found_md5 = md5_of(file)
    if found_md5 != published.md5:
        text = f"{content}; another version than the published one, whose figures are known: its MD5 is {found_md5}"
        return Finding(file.name, State.UNKNOWN, text, published.source), file
    return Finding(file.name, State.OK, f"{content}; the published version", published.source), file


def fingerprint_of(files: Iterable[Path], split: str, samples: int, options: str = "") -> str:
    """SHA-256 over annotation files (by content, in their order), the split, the number of samples and the options."""
    parts = [*map(sha256_of, files), split, str(samples), options]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def wanted_split(name: str, split: str, splits: Sequence[str]) -> str:
    """The split, if there is one of this name.

    Raises:
        DataProblem: There is none.
    """
    if split not in splits:
        raise DataProblem(f"{name} has no split {split!r} but {', '.join(splits)}")
    return split


def by_joint(values: ArrayLike, joints: int, dimensions: int) -> Floats:
    """Annotated points as (joints, dimensions); files have them by either axis first.

    Raises:
        ValueError: They are not as many.
    """
    array = np.asarray(values, np.float64)
    if array.shape not in ((joints, dimensions), (dimensions, joints)):
        raise ValueError(f"a pose of {joints} joints is wanted, not an array of shape {array.shape}")
    return array if array.shape[0] == joints else array.T
