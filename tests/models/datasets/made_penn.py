"""A tiny Penn Action: in the form that its owners publish, and in that of deephar's annotations.

make(folder)                   # annotations.mat of deephar, frames/0001/000001.jpg ...
make(folder, form="owners")    # labels/0001.mat ..., the same frames
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import scipy.io
from numpy.typing import NDArray
from PIL import Image

from models.protocol.joints import PA17, PENN, indices
from models.protocol.labels import PENN_ACTIONS
from tests.models.datasets.stick_person import picture, pose

JOINT_LABELS = (
    "head l_shoulder r_shoulder l_elbow r_elbow l_wrist r_wrist l_hip r_hip l_knee r_knee l_ankle r_ankle".split()
)
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MadeSequence:
    """One sequence as it is written."""

    idx: int
    action: int  # from 0
    is_train: bool
    poses: Floats  # (T, 13, 2)
    visible: NDArray[np.uint8]  # (T, 13)


def make(
    folder: Path,
    *,
    train: int = 3,
    test: int = 2,
    frames: int | Sequence[int] = 50,
    size: tuple[int, int] = (480, 270),
    form: Literal["deephar", "owners"] = "deephar",
    boxes: bool = False,
) -> None:
    """Makes the data set.

    Args:
        folder: Is made where it is missing.
        train: Number of sequences; their actions are 0, 1, 2 ...
        test: Likewise. Penn's numbers run over both: test sequences have every third number, as far as they go.
        frames: Of each sequence, or of all of them in the order of Penn's numbers.
        size: Width and height of the pictures.
        form: Of the annotations.
        boxes: Whether deephar's two files of predicted boxes are written too.
    """
    lengths = [frames] * (train + test) if isinstance(frames, int) else list(frames)
    made = []
    is_test = [bool(i % 3 == 1) for i in range(train + test)]
    while sum(is_test) != test:  # the last ones take what is left
        wrong = len(is_test) - 1 - is_test[::-1].index(sum(is_test) > test)
        is_test[wrong] = not is_test[wrong]
    counts = [0, 0]
    for i, of_test in enumerate(is_test):
        made.append(_sequence(i + 1, counts[of_test] % len(PENN_ACTIONS), not of_test, lengths[i], size))
        counts[of_test] += 1
    folder.mkdir(parents=True, exist_ok=True)
    for sequence in made:
        _write_frames(folder / "frames" / f"{sequence.idx:04d}", sequence, size)
    (_write_owners if form == "owners" else _write_deephar)(folder, made, size)
    if boxes:
        _write_boxes(folder, made)


def _sequence(idx: int, action: int, is_train: bool, frames: int, size: tuple[int, int]) -> MadeSequence:
    width, height = size
    whole = np.stack([_stick(idx, action, t, size) for t in range(frames)])
    poses = whole[:, indices(PA17, PENN)]
    visible = np.ones((frames, len(PENN)), np.uint8)
    visible[frames // 2 :, 3] = 0  # an elbow that is hidden in the second half
    poses[frames // 2, 3] = (1, 1)  # Penn's mark of what is outside
    assert (poses < (width, height)).all()
    return MadeSequence(idx, action, is_train, poses, visible)


def _stick(idx: int, action: int, frame: int, size: tuple[int, int]) -> Floats:
    width, height = size
    centre = (width * (0.4 + 0.03 * (idx % 5)) + 0.5 * frame % (0.2 * width), height * 0.52)
    return pose(action, frame / 20, centre, 0.8 * height)


def _write_frames(folder: Path, sequence: MadeSequence, size: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    for t in range(len(sequence.poses)):
        pixels = picture(_stick(sequence.idx, sequence.action, t, size), size, 20 + 10 * (sequence.idx % 10))
        Image.fromarray(pixels).save(folder / f"{t + 1:06d}.jpg", quality=90)


def _write_deephar(folder: Path, made: list[MadeSequence], size: tuple[int, int]) -> None:
    parts = {
        f"sequences_{name}": _structs([_deephar_struct(s, size) for s in made if s.is_train == (name == "tr")])
        for name in ("te", "tr")
    }
    labels = {"action_labels": _cells(PENN_ACTIONS), "joint_labels": _cells(JOINT_LABELS)}
    scipy.io.savemat(folder / "annotations.mat", {**parts, **labels}, do_compression=True)


def _deephar_struct(sequence: MadeSequence, size: tuple[int, int]) -> dict[str, object]:
    frames = []
    for t, (points, visible) in enumerate(zip(sequence.poses, sequence.visible, strict=True)):
        written = np.where((points == 1).all(-1, keepdims=True), 0, points)
        frames.append({"f": t + 1, "w": size[0], "h": size[1], "pose": written.T, "visible": visible[:, None]})
    return {"idx": sequence.idx, "action_id": sequence.action + 1, "frames": _structs(frames)}


def _structs(rows: list[dict[str, object]]) -> NDArray[np.void]:
    """Returns a MATLAB struct array (1 x N)."""
    out = np.empty((1, len(rows)), [(name, object) for name in (rows[0] if rows else ("idx", "action_id", "frames"))])
    for i, row in enumerate(rows):
        for name, value in row.items():
            out[name][0, i] = value
    return out


def _cells(texts: Sequence[str]) -> NDArray[np.object_]:
    out = np.empty((1, len(texts)), object)
    out[0] = list(texts)
    return out


def _write_owners(folder: Path, made: list[MadeSequence], size: tuple[int, int]) -> None:
    labels = folder / "labels"
    labels.mkdir()
    for sequence in made:
        frames = len(sequence.poses)
        low, high = sequence.poses.min(axis=1), sequence.poses.max(axis=1)
        fields = {
            "action": PENN_ACTIONS[sequence.action],
            "pose": "front",
            "x": sequence.poses[..., 0],
            "y": sequence.poses[..., 1],
            "visibility": sequence.visible,
            "train": np.int8(1 if sequence.is_train else -1),
            "bbox": np.concatenate([low, high], axis=1),
            "dimensions": np.array([size[1], size[0], frames % 256], np.uint16),
            "nframes": np.uint8(frames % 256),  # as published: it wraps
        }
        scipy.io.savemat(labels / f"{sequence.idx:04d}.mat", fields, do_compression=True)


def _write_boxes(folder: Path, made: list[MadeSequence]) -> None:
    """Boxes of every frame by the split's index, and of test clips of 16 frames in steps of 2, starting every 9."""
    test = [s for s in made if not s.is_train]
    train = [s for s in made if s.is_train]
    by_frame = [
        {f"{i}.{t}": _box(s.poses[t : t + 1]) for i, s in enumerate(part) for t in range(len(s.poses))}
        for part in (test, train)
    ]
    (folder / "penn_pred_bboxes_multitask.json").write_text(json.dumps([*by_frame, {}]))
    by_clip = {
        f"{i:04d}.2.{number:03d}.{mirror}": [v + mirror for v in _box(s.poses[start : start + 32 : 2])]
        for i, s in enumerate(test)
        for number, start in enumerate(range(0, len(s.poses) - 31, 9))
        for mirror in (0, 1)
    }
    (folder / "penn_pred_bboxes_16f.json").write_text(json.dumps(by_clip))


def _box(poses: Floats) -> list[int]:
    low, high = poses.min(axis=(0, 1)), poses.max(axis=(0, 1))
    centre, side = (low + high) / 2, 1.5 * float((high - low).max())
    return [int(v) for v in (*(centre - side / 2), *(centre + side / 2))]
