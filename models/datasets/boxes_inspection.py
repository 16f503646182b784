"""Whether the folder of a data set has the predicted boxes that a protocol needs."""

from __future__ import annotations

import shlex
from pathlib import Path

from models.datasets.boxes import FrameBoxes, read_boxes
from models.datasets.check import Finding, State
from models.datasets.problem import DataProblem
from models.datasets.published import Published
from models.files.checksums import md5_of


def inspect_boxes(folder: Path, published: Published, own: str, protocol: str) -> Finding:
    """Whether the published file, or one that `deephar-models data boxes` wrote, is there and can be read.

    Args:
        folder: Of the data set.
        published: By deephar's authors.
        own: Name of the file of `deephar-models data boxes`.
        protocol: That needs it, for people.
    """
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
