"""Training pictures of the person detector: one picture or four in one, scaled, cropped, mirrored, recoloured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import Augmentation, People
from models.lite.person.data import BoxedPictures, Boxes, Picture, body_box
from models.lite.person.targets import STRIDE
from service.vision.crops import letterbox

VISIBLE = 0.35  # share of a box that must be seen to count as a person
SMALLEST_SIDE_PX = 5.0
UNSURE = 0.15  # weight of empty cells where bystanders may have been missed


@dataclass(frozen=True)
class Known:
    """A picture and what is known of it."""

    image: Picture
    boxes_px: Boxes
    outside: float  # weight of what is outside the boxes as free of people: 1 sure, 0 unknown


@dataclass(frozen=True)
class Sample:
    image: Picture  # (S, S, 3)
    boxes_px: Boxes
    empty_weight: NDArray[np.float32]  # (S/8, S/8), of cells without a centre


Draw = Callable[[np.random.Generator], Known]


def boxed(pictures: BoxedPictures) -> Draw:
    def draw(rng: np.random.Generator) -> Known:
        i = int(rng.integers(len(pictures.images)))
        return Known(pictures.images[i], pictures.boxes_px[i], 1.0 if pictures.complete else UNSURE)

    return draw


def without_people(images: list[Picture]) -> Draw:
    return lambda rng: Known(images[int(rng.integers(len(images)))], np.zeros((0, 4), np.float32), 1.0)


def with_joints(people: People) -> Draw:
    """Single people of the pose data, sometimes turned: upside down and lying people are people too."""

    def draw(rng: np.random.Generator) -> Known:
        i = int(rng.integers(len(people.images)))
        choice = rng.random()
        angle = 0.0 if choice < 0.6 else rng.normal(0, 25) if choice < 0.85 else rng.uniform(-180, 180)
        image, joints = turned(people.images[i], people.joints[i], float(angle))
        return Known(image, body_box(joints, people.valid[i]), 0.0)

    return draw


def turned(image: Picture, joints: NDArray[np.float32], angle: float) -> tuple[Picture, NDArray[np.float32]]:
    """Picture and joints turned by an angle in degrees, nothing cut off."""
    if angle == 0.0:
        return image, joints
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    new_width, new_height = np.ceil(np.abs(matrix[:, :2]) @ (width, height)).astype(int)
    matrix[:, 2] += (new_width / 2 - width / 2, new_height / 2 - height / 2)
    moved = (joints @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, (int(new_width), int(new_height))), np.uint8), moved


class Canvas:
    """A square picture under construction."""

    def __init__(self, ground: Picture) -> None:
        self.image = ground
        self.boxes: list[NDArray[np.float32]] = []
        cells = len(ground) // STRIDE
        self.empty_weight = np.ones((cells, cells), np.float32)

    def weigh(self, low: NDArray[np.float32], high: NDArray[np.float32], weight: float) -> None:
        """Sets the weight of all cells that this rectangle touches."""
        left, top = np.floor(low / STRIDE).astype(int)
        right, bottom = np.ceil(high / STRIDE).astype(int)
        self.empty_weight[top:bottom, left:right] = weight

    def place(self, known: Known, corner: tuple[int, int], part: Picture, window: tuple[int, int, int, int]) -> None:
        """Puts `part`, the resized window (x, y, width, height) of a picture, at a corner of the canvas."""
        height, width = part.shape[:2]
        at = np.array(corner, np.float32)
        self.image[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = part
        scale = np.array([width / window[2], height / window[3]])
        low = (known.boxes_px[:, :2] - window[:2]) * scale
        high = low + known.boxes_px[:, 2:] * scale
        seen_low, seen_high = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
        if known.outside < 1:
            self.weigh(at, at + np.array([width, height], np.float32), known.outside)
        for a, b, c, d in zip(low, high, seen_low, seen_high, strict=True):
            seen = d - c
            if seen.min() <= 0:
                continue
            kept = np.prod(seen) >= VISIBLE * np.prod(b - a) and seen.min() >= SMALLEST_SIDE_PX
            self.weigh(at + c, at + d, 1.0 if kept else 0.0)
            if kept:
                self.boxes.append(np.concatenate([at + c, seen]).astype(np.float32))

    def sample(self) -> Sample:
        boxes = np.stack(self.boxes) if self.boxes else np.zeros((0, 4), np.float32)
        return Sample(self.image, boxes, self.empty_weight)


class PersonAugmentation:
    """Makes samples of drawn pictures; `draws` are (share, source)."""

    def __init__(self, size: int, rng: np.random.Generator, draws: list[tuple[float, Draw]], empty: list[Picture]):
        self.size, self.rng, self.empty = size, rng, empty
        self.draws = [draw for _, draw in draws]
        shares = np.array([share for share, _ in draws])
        self.shares = shares / shares.sum()
        self.look = Augmentation(size, rng, empty)

    def one(self) -> Known:
        return self.draws[int(self.rng.choice(len(self.draws), p=self.shares))](self.rng)

    def ground(self) -> Picture:
        """What is seen where no picture is: mostly black, as in service."""
        choice = self.rng.random()
        if choice < 0.6:
            return np.zeros((self.size, self.size, 3), np.uint8)
        if choice < 0.75:
            return np.full((self.size, self.size, 3), self.rng.integers(0, 256, 3), np.uint8)
        around = self.empty[int(self.rng.integers(len(self.empty)))]
        return np.ascontiguousarray(cv2.resize(around, (self.size, self.size), interpolation=cv2.INTER_AREA), np.uint8)

    def into(self, canvas: Canvas, tile: tuple[int, int, int, int], known: Known) -> None:
        """A random window of the picture, at a random scale, into a tile (x, y, width, height) of the canvas."""
        rng = self.rng
        x, y, tile_width, tile_height = tile
        height, width = known.image.shape[:2]
        zoom = min(tile_width / width, tile_height / height) * np.exp(rng.uniform(np.log(0.7), np.log(2.0)))
        stretch = np.exp(rng.normal(0, 0.06))
        scale_x, scale_y = zoom * stretch, zoom / stretch
        window_width = int(np.clip(tile_width / scale_x, 1, width))
        window_height = int(np.clip(tile_height / scale_y, 1, height))
        left, top = int(rng.integers(width - window_width + 1)), int(rng.integers(height - window_height + 1))
        new = (
            int(np.clip(window_width * scale_x, 1, tile_width)),
            int(np.clip(window_height * scale_y, 1, tile_height)),
        )
        part = known.image[top : top + window_height, left : left + window_width]
        part = np.asarray(cv2.resize(part, new, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR))
        corner = (x + int(rng.integers(tile_width - new[0] + 1)), y + int(rng.integers(tile_height - new[1] + 1)))
        canvas.place(known, corner, self.look.colour(part), (left, top, window_width, window_height))

    def sample(self) -> Sample:
        rng, size = self.rng, self.size
        canvas = Canvas(self.ground())
        choice = rng.random()
        if choice < 0.3:  # as served
            known = self.one()
            served = letterbox(known.image, size)
            height, width = known.image.shape[:2]
            scale = size / max(height, width)
            part = served[: max(1, round(height * scale)), : max(1, round(width * scale))]
            canvas.place(known, (0, 0), self.look.colour(part), (0, 0, width, height))
        elif choice < 0.6:
            self.into(canvas, (0, 0, size, size), self.one())
        else:
            x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size)
            for tile in ((0, 0, x, y), (x, 0, size - x, y), (0, y, x, size - y), (x, y, size - x, size - y)):
                self.into(canvas, tile, self.one())
        sample = mirrored(canvas.sample()) if rng.random() < 0.5 and choice >= 0.3 else canvas.sample()
        return Sample(self.look.camera(sample.image), sample.boxes_px, sample.empty_weight)


def mirrored(sample: Sample) -> Sample:
    boxes = sample.boxes_px.copy()
    boxes[:, 0] = sample.image.shape[1] - boxes[:, 0] - boxes[:, 2]
    return Sample(np.ascontiguousarray(sample.image[:, ::-1]), boxes, sample.empty_weight[:, ::-1].copy())
