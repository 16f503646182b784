"""Training samples of the person detector: one picture or a mosaic of four, scaled, cropped, mirrored, recoloured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lite.frame.augmentation import Augmentation
from models.lite.frame.data import People
from models.lite.person.data import BoxedPictures, Boxes, Picture, body_box
from models.lite.person.targets import STRIDE
from service.vision.crops import letterbox

MIN_VISIBLE = 0.35  # share of a box inside the sample from which it counts as a person
MIN_SIDE_PX = 5.0


@dataclass(frozen=True)
class LabelledPicture:
    """A picture with the boxes that are known of it."""

    image: Picture
    boxes_px: Boxes
    outside_weight: float  # of cells outside of the boxes as background: 1 surely without people, 0 unknown
    unsure_px: Boxes | None = None  # where there may be people or not


@dataclass(frozen=True)
class Sample:
    """One square training picture."""

    image: Picture  # (S, S, 3)
    boxes_px: Boxes
    empty_weight: NDArray[np.float32]  # (S/4, S/4), of cells without a person's centre


Source = Callable[[np.random.Generator], LabelledPicture]
Rectangle = tuple[int, int, int, int]  # x, y, width, height


def boxed(pictures: BoxedPictures) -> Source:
    """A source of pictures with boxes."""

    def draw(rng: np.random.Generator) -> LabelledPicture:
        i = int(rng.integers(len(pictures.images)))
        unsure = pictures.unsure_px[i] if pictures.unsure_px is not None else None
        return LabelledPicture(pictures.images[i], pictures.boxes_px[i], 1.0, unsure)

    return draw


def without_people(images: list[Picture]) -> Source:
    """A source of background pictures."""
    return lambda rng: LabelledPicture(images[int(rng.integers(len(images)))], np.zeros((0, 4), np.float32), 1.0)


def with_joints(people: People) -> Source:
    """A source of single people of the pose data, some of them rotated: a person may lie or stand on the head."""

    def draw(rng: np.random.Generator) -> LabelledPicture:
        i = int(rng.integers(len(people.images)))
        choice = rng.random()
        angle = 0.0 if choice < 0.6 else rng.normal(0, 25) if choice < 0.85 else rng.uniform(-180, 180)
        image, joints = rotated(people.images[i], people.joints[i], float(angle))
        return LabelledPicture(image, body_box(joints, people.valid[i]), 0.0)

    return draw


def rotated(image: Picture, joints: NDArray[np.float32], angle: float) -> tuple[Picture, NDArray[np.float32]]:
    """Picture and joints (K, 2), rotated by an angle in degrees; the canvas grows so that nothing is cut off."""
    if angle == 0.0:
        return image, joints
    height, width = image.shape[:2]
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
    new_width, new_height = np.ceil(np.abs(matrix[:, :2]) @ (width, height)).astype(int)
    matrix[:, 2] += (new_width / 2 - width / 2, new_height / 2 - height / 2)
    moved = (joints @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
    return np.asarray(cv2.warpAffine(image, matrix, (int(new_width), int(new_height))), np.uint8), moved


class Canvas:
    """A square sample that pictures are pasted into."""

    def __init__(self, background: Picture) -> None:
        self.image = background
        self.boxes: list[NDArray[np.float32]] = []
        cells = len(background) // STRIDE
        self.empty_weight = np.ones((cells, cells), np.float32)

    def set_weight(self, low: NDArray[np.float32], high: NDArray[np.float32], weight: float) -> None:
        """Sets the weight of all cells that the rectangle from `low` to `high`, in pixels, touches."""
        left, top = np.floor(low / STRIDE).astype(int)
        right, bottom = np.ceil(high / STRIDE).astype(int)
        self.empty_weight[top:bottom, left:right] = weight

    def paste(self, picture: LabelledPicture, corner: tuple[int, int], part: Picture, window: Rectangle) -> None:
        """Pastes `part`, which is `window` of the picture resized, with its top left at `corner`."""
        height, width = part.shape[:2]
        origin = np.array(corner, np.float32)
        self.image[corner[1] : corner[1] + height, corner[0] : corner[0] + width] = part
        scale = np.array([width / window[2], height / window[3]])
        low = (picture.boxes_px[:, :2] - window[:2]) * scale
        high = low + picture.boxes_px[:, 2:] * scale
        visible_low, visible_high = np.clip(low, 0, (width, height)), np.clip(high, 0, (width, height))
        if picture.outside_weight < 1:
            self.set_weight(origin, origin + np.array([width, height], np.float32), picture.outside_weight)
        if picture.unsure_px is not None:
            for x, y, wide, tall in picture.unsure_px:
                first = np.clip(([x, y] - np.array(window[:2])) * scale, 0, (width, height))
                last = np.clip(([x + wide, y + tall] - np.array(window[:2])) * scale, 0, (width, height))
                if (last > first).all():
                    self.set_weight(origin + first, origin + last, 0.0)
        for a, b, c, d in zip(low, high, visible_low, visible_high, strict=True):
            visible = d - c
            if visible.min() <= 0:
                continue
            kept = np.prod(visible) >= MIN_VISIBLE * np.prod(b - a) and visible.min() >= MIN_SIDE_PX
            self.set_weight(origin + c, origin + d, 1.0 if kept else 0.0)
            if kept:
                self.boxes.append(np.concatenate([origin + c, visible]).astype(np.float32))

    def sample(self) -> Sample:
        boxes = np.stack(self.boxes) if self.boxes else np.zeros((0, 4), np.float32)
        return Sample(self.image, boxes, self.empty_weight)


class PersonAugmentation:
    """Makes samples of `size` pixels from `sources`, which come with the share of pictures to draw from each."""

    def __init__(self, size: int, rng: np.random.Generator, sources: list[tuple[float, Source]], empty: list[Picture]):
        self.size, self.rng, self.empty = size, rng, empty
        self.sources = [source for _, source in sources]
        shares = np.array([share for share, _ in sources])
        self.shares = shares / shares.sum()
        self.appearance = Augmentation(size, rng, empty)

    def draw(self) -> LabelledPicture:
        return self.sources[int(self.rng.choice(len(self.sources), p=self.shares))](self.rng)

    def background(self) -> Picture:
        """A background for the pasted pictures: mostly black, as the served letterbox is."""
        choice = self.rng.random()
        if choice < 0.6:
            return np.zeros((self.size, self.size, 3), np.uint8)
        if choice < 0.75:
            return np.full((self.size, self.size, 3), self.rng.integers(0, 256, 3), np.uint8)
        around = self.empty[int(self.rng.integers(len(self.empty)))]
        return np.ascontiguousarray(cv2.resize(around, (self.size, self.size), interpolation=cv2.INTER_AREA), np.uint8)

    def paste_window(self, canvas: Canvas, tile: Rectangle, picture: LabelledPicture) -> None:
        """Pastes a random window of the picture, at a random scale, into a tile of the canvas."""
        rng = self.rng
        x, y, tile_width, tile_height = tile
        height, width = picture.image.shape[:2]
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
        part = picture.image[top : top + window_height, left : left + window_width]
        part = np.asarray(cv2.resize(part, new, interpolation=cv2.INTER_AREA if zoom < 1 else cv2.INTER_LINEAR))
        corner = (x + int(rng.integers(tile_width - new[0] + 1)), y + int(rng.integers(tile_height - new[1] + 1)))
        canvas.paste(picture, corner, self.appearance.colour(part), (left, top, window_width, window_height))

    def sample(self) -> Sample:
        rng, size = self.rng, self.size
        canvas = Canvas(self.background())
        choice = rng.random()
        if choice < 0.3:  # the letterbox, as served
            picture = self.draw()
            served = letterbox(picture.image, size)
            height, width = picture.image.shape[:2]
            scale = size / max(height, width)
            part = served[: max(1, round(height * scale)), : max(1, round(width * scale))]
            canvas.paste(picture, (0, 0), self.appearance.colour(part), (0, 0, width, height))
        elif choice < 0.6:
            self.paste_window(canvas, (0, 0, size, size), self.draw())
        else:
            x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * size)
            for tile in ((0, 0, x, y), (x, 0, size - x, y), (0, y, x, size - y), (x, y, size - x, size - y)):
                self.paste_window(canvas, tile, self.draw())
        sample = mirrored(canvas.sample()) if rng.random() < 0.5 and choice >= 0.3 else canvas.sample()
        return Sample(self.appearance.camera(sample.image), sample.boxes_px, sample.empty_weight)


def mirrored(sample: Sample) -> Sample:
    """The sample flipped from left to right."""
    boxes = sample.boxes_px.copy()
    boxes[:, 0] = sample.image.shape[1] - boxes[:, 0] - boxes[:, 2]
    return Sample(np.ascontiguousarray(sample.image[:, ::-1]), boxes, sample.empty_weight[:, ::-1].copy())
