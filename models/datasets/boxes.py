"""Predicted boxes of people in sequences, from the two kinds of files that deephar's protocols have, and from ours.

Boxes of frames (multitask protocol): a list [test, train, validation] of {"<sequence>.<frame>": [x1, y1, x2, y2]}.
Boxes of clips (merge protocol): {"<sequence>.<subsampling>.<clip>.<mirrored>": [x1, y1, x2, y2]} of the test split.
Sequences, frames and clips count from 0, sequences by their place in the split.

NTU RGB+D has five million frames, so its boxes are lines (.jsonl): one that says what they were made of, and then one
for each sequence by its name, {"sequence": "S001C001P001R001A001", "boxes": [[x1, y1, x2, y2], ...]}.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from models.datasets.problem import DataProblem
from models.protocol.window import Window

PLACES = {"test": 0, "train": 1, "validation": 2}  # of the splits in a file with boxes of frames
# Files that `deephar-models data boxes` writes.
OWN_FRAME_BOXES, OWN_CLIP_BOXES, LINES = "boxes_of_frames.json", "boxes_of_clips.json", ".jsonl"
Corners = tuple[float, float, float, float]
Where = Path | Literal["annotated", "image"]  # a clip's window comes from: a file, the annotated poses, nothing


class PredictedBoxes(Protocol):
    """The boxes of one split."""

    def window(self, sequence: str, frames: Sequence[int], mirror: bool) -> Window | None:
        """The window of a clip; None: the whole image is taken."""
        ...


@dataclass(frozen=True, eq=False)
class FrameBoxes:
    """A box for each frame."""

    file: Path
    by_sequence: Mapping[str, NDArray[np.floating]]  # (T, 4), NaN where the file has no box

    def window(self, sequence: str, frames: Sequence[int], mirror: bool) -> Window:  # noqa: ARG002 - for clips
        """The smallest window around the boxes of the frames.

        Raises:
            DataProblem: A frame has none.
        """
        rows = self.by_sequence.get(sequence, np.empty((0, 4)))
        chosen = np.array([rows[frame] if frame < len(rows) else [np.nan] * 4 for frame in frames])
        without = np.flatnonzero(np.isnan(chosen).any(axis=1))
        if without.size:
            raise DataProblem(
                f"{self.file} has no box {sequence}.{frames[without[0]]}: it was made of another version of the data "
                "or of another split. Make one: deephar-models data boxes"
            )
        left, top = chosen[:, :2].min(axis=0).tolist()
        right, bottom = chosen[:, 2:].max(axis=0).tolist()
        return Window.from_corners(left, top, right, bottom)


@dataclass(frozen=True, eq=False)
class ClipBoxes:
    """A box for each clip of the multi-clip protocol, plain and mirrored."""

    by_key: Mapping[str, Corners]

    def window(self, sequence: str, frames: Sequence[int], mirror: bool) -> Window | None:
        """The window of the clip; None where the file has none, as of clips that are not of the protocol."""
        key = clip_key(sequence, frames, mirror)
        corners = None if key is None else self.by_key.get(key)
        return None if corners is None else Window.from_corners(*corners)


def clip_key(sequence: str, frames: Sequence[int], mirror: bool) -> str | None:
    """What a file of clips' boxes calls a clip; None where the clip is not one of `protocol.clips.multi_clip`."""
    if len(frames) < 2:
        return None
    step = frames[1] - frames[0]
    hop = max(1, len(frames) // 2 + step - 1)
    if step < 1 or frames[0] % hop or list(frames) != [frames[0] + step * i for i in range(len(frames))]:
        return None
    return f"{sequence:0>4}.{step}.{frames[0] // hop:03d}.{int(mirror)}"


def read_boxes(file: Path, split: str) -> FrameBoxes | ClipBoxes:
    """The boxes of a split.

    Raises:
        DataProblem: The file is missing, damaged, of another kind, or has no box of the split.
    """
    if file.suffix == LINES:
        return FrameBoxes(file, _lines(file))
    content = _json(file)
    if isinstance(content, dict):
        if split != "test":
            raise DataProblem(f"{file} has boxes of test clips only; take the annotated ones for {split}")
        return ClipBoxes({key: _corners(file, key, box) for key, box in content.items()})
    if not isinstance(content, list) or not all(isinstance(part, dict) for part in content):
        raise DataProblem(f"{file} is no file of boxes: it holds neither {{...}} nor [{{...}}, {{...}}, {{...}}]")
    part = content[PLACES[split]] if PLACES[split] < len(content) else {}
    if not part:
        raise DataProblem(f"{file} has no box of the split {split}. Make it: deephar-models data boxes, with --split")
    held: dict[str, dict[int, Corners]] = {}
    for key, box in part.items():
        sequence, _, frame = key.rpartition(".")
        if not sequence or not frame.isdecimal():
            raise DataProblem(f"{file}: {key!r} is no <sequence>.<frame>: it is a file of another kind")
        held.setdefault(sequence, {})[int(frame)] = _corners(file, key, box)
    return FrameBoxes(file, {sequence: _rows(boxes) for sequence, boxes in held.items()})


def _rows(boxes: Mapping[int, Corners]) -> NDArray[np.float64]:
    rows = np.full((max(boxes) + 1, 4), np.nan)
    rows[list(boxes)] = list(boxes.values())
    return rows


def _lines(file: Path) -> dict[str, NDArray[np.float32]]:
    held: dict[str, NDArray[np.float32]] = {}
    with _readable(file), file.open() as lines:
        next(lines, None)  # what they were made of
        for line in lines:
            row = json.loads(line)
            held[row["sequence"]] = np.array(row["boxes"], np.float32).reshape(-1, 4)
    return held


def _json(file: Path) -> Any:
    with _readable(file):
        return json.loads(file.read_bytes())


@contextmanager
def _readable(file: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise DataProblem(f"{file} is missing; make it: deephar-models data boxes") from None
    except OSError as error:
        raise DataProblem(f"{file}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataProblem(f"{file} is damaged or cut ({error}): download or make it again") from error


def _corners(file: Path, key: str, box: Any) -> Corners:
    try:
        left, top, right, bottom = (float(value) for value in box)
    except (TypeError, ValueError):
        raise DataProblem(f"{file}: {key} is {box!r}, not [x1, y1, x2, y2]") from None
    if not (np.isfinite([left, top, right, bottom]).all() and left <= right and top <= bottom):
        raise DataProblem(f"{file}: {key} is {box!r}, which is no box")
    return left, top, right, bottom
