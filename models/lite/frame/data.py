"""The frame network's data: people of LSPET and LSP, and pictures without people. Needs no torch."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lite.frame.torso import torso_size
from models.lite.layout import HIPS, NUM_JOINTS, PELVIS, SHOULDERS, THORAX

# LSP's 14 joints in the slots of pa16; pelvis and thorax are the middles of the hips and of the shoulders.
LSP_TO_PA16 = np.array([14, 12, 10, 11, 13, 15, 8, 6, 4, 5, 7, 9, 2, 3])
HIT_TORSO = 0.2  # of PCK@0.2: a joint is right if it is nearer to its label than this, in torsos
LSP_HELD_OUT = 200  # the last people of LSP train are never trained on
PERSON_MARGIN = 1.1  # side of the evaluation crop over the larger side of the joints' box
BOX_PARTS = 3  # files of pictures with boxes
KEPT_EVERY = 15  # of the training pictures with a box for every person, one is kept to calibrate scores by


@dataclass(frozen=True)
class People:
    """N people, each with a picture."""

    images: list[NDArray[np.uint8]]  # RGB
    joints: NDArray[np.float32]  # (N, 16, 2) pixels of the picture
    valid: NDArray[np.bool_]  # (N, 16) labelled


def decode(jpegs: NDArray[np.uint8], offsets: NDArray[np.int64], index: int) -> NDArray[np.uint8]:
    """Picture `index` (H, W, 3), RGB, of JPEG files that lie end to end."""
    picture = cv2.imdecode(jpegs[offsets[index] : offsets[index + 1]], cv2.IMREAD_COLOR)
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)


def to_pa16(joints: NDArray[np.float32], valid: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """LSP's 14 joints (N, 14, 2) to pa16 (N, 16, 2), with pelvis and thorax derived."""
    out = np.zeros((len(joints), NUM_JOINTS, 2), np.float32)
    ok = np.zeros((len(joints), NUM_JOINTS), bool)
    out[:, LSP_TO_PA16], ok[:, LSP_TO_PA16] = joints, valid
    set_middles(out, ok)
    return out, ok


def set_middles(joints: NDArray[np.float32], valid: NDArray[np.bool_]) -> None:
    """Derives pelvis and thorax of joints (N, 16, 2), in place, from the hips and the shoulders."""
    for middle, (right, left) in ((PELVIS, HIPS), (THORAX, SHOULDERS)):
        joints[:, middle] = (joints[:, right] + joints[:, left]) / 2
        valid[:, middle] = valid[:, right] & valid[:, left]


def load_people(files: list[Path]) -> People:
    """All people of files in the data's format, in pa16."""
    images: list[NDArray[np.uint8]] = []
    joints, valid = [], []
    for file in files:
        data = dict(np.load(file))
        images += [decode(data["jpeg"], data["offsets"], i) for i in range(len(data["joints"]))]
        joints.append(data["joints"])
        valid.append(data["visibility"] > 0)
    pa16, ok = to_pa16(np.concatenate(joints), np.concatenate(valid))
    return People(images, pa16, ok)


def select(people: People, indices: range) -> People:
    return People([people.images[i] for i in indices], people.joints[indices], people.valid[indices])


def load_crowd(data: Path) -> People:
    """The people of LSPET."""
    return load_people([data / f"pose2d_lspet_{i}.npz" for i in range(3)])


def load_careful(data: Path) -> People:
    """The people of LSP to train on: those with careful labels."""
    lsp = load_people([data / "pose2d_lsp_train.npz"])
    return select(lsp, range(len(lsp.images) - LSP_HELD_OUT))


def load_held_out(data: Path) -> People:
    """The people of LSP that no network is trained on."""
    lsp = load_people([data / "pose2d_lsp_train.npz"])
    return select(lsp, range(len(lsp.images) - LSP_HELD_OUT, len(lsp.images)))


def load_backgrounds(data: Path) -> list[NDArray[np.uint8]]:
    """Photographs of streets and landscapes, without people."""
    backgrounds = dict(np.load(data / "backgrounds.npz"))
    return [decode(backgrounds["jpeg"], backgrounds["offsets"], i) for i in range(len(backgrounds["offsets"]) - 1)]


def load_without_people(data: Path) -> list[NDArray[np.uint8]]:
    """All pictures without people to train on."""
    return load_backgrounds(data) + load_empty_boxed(data, split=0, but=kept_pictures(data))


def load_empty_boxed(data: Path, split: int, but: Collection[tuple[int, int]] = frozenset()) -> list[NDArray[np.uint8]]:
    """The detector's pictures without people (statues, dolls, robots, animals): split 0 to train, 1 to evaluate.

    Those of `but`, by file and number, are left out.
    """
    pictures = []
    for part in range(BOX_PARTS):
        boxes = dict(np.load(data / f"people_boxes_{part}.npz"))
        empty = np.flatnonzero((np.diff(boxes["box_offsets"]) == 0) & (boxes["split"] == split)).tolist()
        pictures += [decode(boxes["jpeg"], boxes["offsets"], i) for i in empty if (part, i) not in but]
    return pictures


def kept_pictures(data: Path) -> set[tuple[int, int]]:
    """File and number of the training pictures that no network is trained on: scores are calibrated by them."""
    complete: list[tuple[int, int]] = []
    for part in range(BOX_PARTS):
        with np.load(data / f"people_boxes_{part}.npz") as held:
            complete += [(part, i) for i in np.flatnonzero((held["tier"] == 0) & (held["split"] == 0)).tolist()]
    return set(complete[::KEPT_EVERY])


def hits(people: People, keypoints: NDArray[np.float32]) -> NDArray[np.bool_]:
    """PCK@0.2's hits (N, 16): which keypoints (N, 16, 2), in pixels, are within 0.2 torso of their labels.

    A joint without a label is no hit.
    """
    distance = np.linalg.norm(keypoints - people.joints, axis=-1)
    return np.asarray((distance < HIT_TORSO * torso_size(people.joints, people.valid)[:, None]) & people.valid)


def person_square(joints: NDArray[np.float32], valid: NDArray[np.bool_]) -> tuple[NDArray[np.float32], float]:
    """Centre and larger side of the box around the valid joints."""
    low, high = joints[valid].min(0), joints[valid].max(0)
    return (low + high) / 2, float((high - low).max())


def crop_matrix(centre: NDArray[np.float32], side: float, size: int, angle: float, mirror: bool) -> NDArray[np.float64]:
    """The affine map (2, 3) from pixels of the picture to pixels of a crop.

    Args:
        centre: (2,) of the crop, in pixels of the picture.
        side: Of the crop, likewise.
        size: Side of the crop in its own pixels.
        angle: Rotation in radians.
        mirror: Whether the crop is flipped from left to right.
    """
    scale = size / side
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    linear = np.array([[cos, -sin], [sin, cos]])
    if mirror:
        linear[0] *= -1
    return np.hstack([linear, (size / 2 - linear @ centre)[:, None]])


@dataclass(frozen=True)
class BoxedPicture:
    """A picture with boxes in its file."""

    place: tuple[int, int]  # file, and number in it
    is_validation: bool
    boxes_px: NDArray[np.float32]  # (n, 4) x, y, width, height
    rows: slice  # of these boxes among all of the set
    jpeg: NDArray[np.uint8]

    @property
    def image(self) -> NDArray[np.uint8]:
        """(H, W, 3), RGB; decoded each time."""
        return decode(self.jpeg, np.array([0, len(self.jpeg)]), 0)


def boxed_pictures(data: Path, name: str) -> Iterator[BoxedPicture]:
    """The `boxed` pictures, whose boxes are labels, or the `everyday` ones, in the order of their files."""
    files = [data / "people_everyday.npz"]
    if name == "boxed":
        files = [data / f"people_boxes_{part}.npz" for part in range(BOX_PARTS)]
    first = 0
    for part, file in enumerate(files):
        held = dict(np.load(file))
        ends = zip(pairwise(held["offsets"]), pairwise(held["box_offsets"]), strict=True)
        for i, ((begin, end), (low, high)) in enumerate(ends):
            rows = slice(first, first + int(high - low))
            is_validation = "split" in held and bool(held["split"][i] == 1)
            boxes = held["boxes"][low:high].astype(np.float32)
            yield BoxedPicture((part, i), is_validation, boxes, rows, held["jpeg"][begin:end])
            first = rows.stop


def crop_around(
    image: NDArray[np.uint8], centre: NDArray[np.float32], side: float, size: int, angle: float = 0.0
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """A square crop of `size` pixels, and the affine map (2, 3) from its pixels back to the picture's."""
    matrix = crop_matrix(centre, side, size, angle, False)
    crop = np.asarray(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR), np.uint8)
    return crop, cv2.invertAffineTransform(matrix)
