"""The frame network's data: people of LSPET, LSP and PARSE, pictures without people, and their augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lite.frame.torso import torso_size
from models.lite.layout import FLIP, HIPS, NUM_JOINTS, PELVIS, SHOULDERS, THORAX

# LSP's 14 joints in the slots of pa16; pelvis and thorax are the middles of the hips and of the shoulders.
LSP_TO_PA16 = np.array([14, 12, 10, 11, 13, 15, 8, 6, 4, 5, 7, 9, 2, 3])
HIT_TORSO = 0.2  # of PCK@0.2: a joint is right if it is nearer to its label than this, in torsos
LSP_HELD_OUT = 200  # the last people of LSP train are never trained on
PERSON_MARGIN = 1.15  # side of the evaluation crop over the larger side of the joints' box


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
    for middle, (right, left) in ((PELVIS, HIPS), (THORAX, SHOULDERS)):
        out[:, middle] = (out[:, right] + out[:, left]) / 2
        ok[:, middle] = ok[:, right] & ok[:, left]
    return out, ok


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


@dataclass(frozen=True)
class TrainingSet:
    """People to train on."""

    people: People
    times: int  # how often each is drawn in one pass


def load_training(data: Path) -> list[TrainingSet]:
    """All people to train on."""
    lsp, parse = load_careful(data)
    crowd = load_people([data / f"pose2d_lspet_{i}.npz" for i in range(3)])
    return [TrainingSet(crowd, 1), TrainingSet(lsp, 8), TrainingSet(parse, 3)]  # LSPET's labels are crowd-sourced


def load_careful(data: Path) -> tuple[People, People]:
    """The people to train on with careful labels: those of LSP and those of PARSE."""
    lsp = load_people([data / "pose2d_lsp_train.npz"])
    return select(lsp, range(len(lsp.images) - LSP_HELD_OUT)), load_people([data / "pose2d_parse_train.npz"])


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
    return load_backgrounds(data) + load_empty_boxed(data, split=0)


def load_empty_boxed(data: Path, split: int) -> list[NDArray[np.uint8]]:
    """The detector's pictures without people (statues, dolls, robots, animals): split 0 to train, 1 to evaluate."""
    pictures = []
    for part in range(3):
        boxes = dict(np.load(data / f"people_boxes_{part}.npz"))
        empty = np.flatnonzero((np.diff(boxes["box_offsets"]) == 0) & (boxes["split"] == split))
        pictures += [decode(boxes["jpeg"], boxes["offsets"], int(i)) for i in empty]
    return pictures


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
class Sample:
    """One training crop."""

    image: NDArray[np.uint8]  # (S, S, 3)
    joints: NDArray[np.float32]  # (16, 2) in 0..1 of the crop
    valid: NDArray[np.bool_]  # (16,) labelled and inside the crop
    torso: float  # in crop units; 0 without a person


class Augmentation:
    """Makes training crops: rotation, scale, shift, mirror, colour, occlusion, other backgrounds."""

    def __init__(self, size: int, rng: np.random.Generator, backgrounds: list[NDArray[np.uint8]]) -> None:
        self.size, self.rng, self.backgrounds = size, rng, backgrounds

    def person(self, image: NDArray[np.uint8], joints: NDArray[np.float32], valid: NDArray[np.bool_]) -> Sample:
        """A crop with the person."""
        rng, size = self.rng, self.size
        centre, extent = person_square(joints, valid)
        extent = max(extent, 16.0)
        if rng.random() < 0.87:
            zoom, shift = np.exp(rng.uniform(np.log(1.0), np.log(1.6))), 0.08
        else:  # as in a whole picture: down to a quarter of its height, anywhere
            zoom = np.exp(rng.uniform(np.log(1.6), np.log(4.5)))
            shift = 0.5 * (1 - 1 / zoom)
        side = extent * zoom
        angle = np.deg2rad(rng.normal(0, 27) if rng.random() < 0.6 else 0.0)
        mirror = bool(rng.random() < 0.5)
        matrix = crop_matrix(centre, side, size, angle, mirror)
        matrix[:, 2] += rng.uniform(-shift, shift, 2) * size
        crop = self.warp(image, matrix)
        moved = (joints @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        if mirror:
            moved, valid = moved[FLIP], valid[FLIP]
        torso = float(torso_size(joints, valid[FLIP] if mirror else valid)) / side
        moved = moved / np.float32(size)
        inside = valid & (moved > 0).all(-1) & (moved < 1).all(-1)
        return Sample(self.camera(self.colour(self.occlude(crop))), moved, inside, torso)

    def empty(self, image: NDArray[np.uint8]) -> Sample:
        """A crop of a picture without people."""
        height, width = image.shape[:2]
        side = self.rng.uniform(0.25, 1.0) * max(height, width)
        centre = self.rng.uniform(0.2, 0.8, 2).astype(np.float32) * (width, height)
        matrix = crop_matrix(centre, side, self.size, 0.0, bool(self.rng.random() < 0.5))
        crop = self.camera(self.colour(self.warp(image, matrix)))
        return Sample(crop, np.zeros((NUM_JOINTS, 2), np.float32), np.zeros(NUM_JOINTS, bool), 0.0)

    def warp(self, image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        size = (self.size, self.size)
        choice = self.rng.random()
        if choice < 0.45:
            return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR)
        if choice < 0.6:
            return cv2.warpAffine(image, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        background = self.backgrounds[self.rng.integers(len(self.backgrounds))]
        height, width = background.shape[:2]
        side = int(self.rng.uniform(0.3, 1.0) * min(height, width))
        top, left = self.rng.integers(height - side + 1), self.rng.integers(width - side + 1)
        canvas = cv2.resize(background[top : top + side, left : left + side], size)
        return cv2.warpAffine(
            image, matrix, size, dst=canvas, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
        )

    def occlude(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Hides a part of the crop behind a rectangle of one colour or of a photograph."""
        rng = self.rng
        if rng.random() < 0.15:
            width, height = (rng.uniform(0.08, 0.3, 2) * self.size).astype(int)
            left, top = rng.integers(0, self.size, 2)
            hidden = crop[top : top + height, left : left + width]
            background = self.backgrounds[rng.integers(len(self.backgrounds))]
            if rng.random() < 0.5 and hidden.shape[0] <= background.shape[0] and hidden.shape[1] <= background.shape[1]:
                y = rng.integers(background.shape[0] - hidden.shape[0] + 1)
                x = rng.integers(background.shape[1] - hidden.shape[1] + 1)
                hidden[:] = background[y : y + hidden.shape[0], x : x + hidden.shape[1]]
            else:
                hidden[:] = rng.integers(0, 256, 3)
        return crop

    def camera(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Blur and JPEG compression, as of cheap cameras and video."""
        rng = self.rng
        if rng.random() < 0.1:
            crop = cv2.GaussianBlur(crop, (3, 3), float(rng.uniform(0.4, 1.2)))
        if rng.random() < 0.1:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 70))]
            written = cv2.imencode(".jpg", crop, quality)[1]
            crop = np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)
        return crop

    def colour(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Other brightness, contrast, gamma and white balance; some crops become grey."""
        rng = self.rng
        if rng.random() < 0.08:
            crop = cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        ramp = np.arange(256) / 255.0
        gain, offset = rng.uniform(0.7, 1.3), rng.uniform(-0.12, 0.12)
        tables = [
            np.clip(255 * (gain * rng.uniform(0.9, 1.1) * ramp ** rng.uniform(0.8, 1.25) + offset), 0, 255)
            for _ in range(3)
        ]
        return cv2.LUT(crop, np.stack(tables, -1).astype(np.uint8).reshape(1, 256, 3))
