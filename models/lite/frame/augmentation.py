"""The frame network's training crops: people turned, scaled, shifted, cut off, mirrored, recoloured, hidden in part."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import crop_matrix, person_square
from models.lite.frame.labels import TrainingSet
from models.lite.frame.torso import torso_size
from models.lite.layout import FLIP, LIMBS, NUM_JOINTS
from service.vision.crops import JOINTS_OVER_BODY

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]

STRIDE = 4  # pixels of a crop to one cell of a map
SMALLEST_PX = 16.0  # of a person
ZOOM = (1.0, 1.45)  # side of the crop over the larger side of the joints' box; 1.1 as served


@dataclass(frozen=True)
class Sample:
    """One training crop."""

    image: Image  # (S, S, 3)
    joints: Floats  # (16, 2) in 0..1 of the crop
    valid: Bools  # (16,) labelled and inside the crop
    torso: np.float32  # in crop units; 0 without a person
    unknown: Bools  # (16,)
    by_teacher: Bools  # (16,)
    maps: NDArray[np.uint8]  # (16, S/4, S/4), the teacher's belief; of joints that it does not know nothing


class Augmentation:
    """Makes training crops of `size` pixels; `backgrounds` have no people."""

    def __init__(self, size: int, rng: np.random.Generator, backgrounds: list[Image]) -> None:
        self.size, self.rng, self.backgrounds = size, rng, backgrounds

    def person(self, some: TrainingSet, i: int) -> Sample:
        """A crop with person `i` of a set in its middle, or for people who are alone in their picture anywhere."""
        rng, size = self.rng, self.size
        image, joints, valid = some.people.images[i], some.people.joints[i], some.people.valid[i]
        torso = float(torso_size(joints, valid))
        if some.boxes_px is None:
            centre, extent = person_square(joints, valid)
        else:
            x, y, width, height = some.boxes_px[i]
            centre = np.array([x + width / 2, y + height / 2], np.float32)
            extent = JOINTS_OVER_BODY * float(max(width, height))
        extent = max(extent, SMALLEST_PX)
        zoom, shift = np.exp(rng.uniform(*np.log(ZOOM))), 0.08
        choice = rng.random()
        if choice < 0.12:
            image, centre, extent = self.cut_off(image, centre, extent)
        elif choice < 0.22 and some.boxes_px is None:  # as in a whole picture: down to a quarter of its height
            zoom = np.exp(rng.uniform(np.log(1.6), np.log(4.5)))
            shift = 0.5 * (1 - 1 / zoom)
        side = extent * zoom
        angle = np.deg2rad(rng.normal(0, some.turn_deg) if rng.random() < 0.6 else 0.0)
        mirror = bool(rng.random() < 0.5)
        matrix = crop_matrix(centre, side, size, angle, mirror)
        matrix[:, 2] += rng.uniform(-shift, shift, 2) * size
        crop = self.warp(image, matrix)
        moved = (joints @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32) / np.float32(size)
        in_picture = (joints >= 0).all(-1) & (joints < image.shape[1::-1]).all(-1)
        maps = np.zeros((NUM_JOINTS, size // STRIDE, size // STRIDE), np.uint8)
        by_teacher, unknown = some.by_teacher[i], some.unknown[i]
        if some.taught is not None and by_teacher.any():
            maps[LIMBS] = self.taught(some.taught.maps[i], some.taught.to_cells[i], matrix)
        if mirror:
            moved, valid, in_picture, maps = moved[FLIP], valid[FLIP], in_picture[FLIP], maps[FLIP]
            by_teacher, unknown = by_teacher[FLIP], unknown[FLIP]
        inside = valid & in_picture & (moved > 0).all(-1) & (moved < 1).all(-1)
        crop = self.camera(self.colour(self.from_afar(self.occlude(crop))))
        return Sample(crop, moved, inside, np.float32(torso / side), unknown, by_teacher & in_picture, maps)

    def cut_off(self, image: Image, centre: Floats, extent: float) -> tuple[Image, Floats, float]:
        """Ends the picture within the person, mostly below, as in portraits; with the rest's centre and side."""
        rng = self.rng
        kept = rng.uniform(0.4, 0.85) * extent
        low = centre - extent / 2
        if rng.random() < 0.7:
            end = int(np.clip(low[1] + kept, 8, image.shape[0]))
            return image[:end], np.array([centre[0], low[1] + kept / 2], np.float32), max(kept, extent * 0.6)
        end = int(np.clip(low[0] + kept, 8, image.shape[1]))
        return image[:, :end], np.array([low[0] + kept / 2, centre[1]], np.float32), extent

    def taught(self, maps: NDArray[np.uint8], to_cells: Floats, matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The teacher's maps (12, 64, 64) as seen in a crop: (12, S/4, S/4)."""
        cells = self.size // STRIDE
        from_cells = np.vstack([cv2.invertAffineTransform(to_cells.astype(np.float64)), [0, 0, 1]])
        to_crop = (matrix / STRIDE) @ from_cells
        # A cell's number is that of its corner, OpenCV's of its centre.
        to_crop[:, 2] += to_crop[:, :2] @ [0.5, 0.5] - 0.5
        planes = [
            cv2.warpAffine(np.ascontiguousarray(maps[k : k + 4].transpose(1, 2, 0)), to_crop, (cells, cells))
            for k in range(0, len(maps), 4)
        ]
        return np.concatenate(planes, axis=2).transpose(2, 0, 1)

    def empty(self, image: Image) -> Sample:
        """A crop of a picture without people."""
        height, width = image.shape[:2]
        side = self.rng.uniform(0.25, 1.0) * max(height, width)
        centre = self.rng.uniform(0.2, 0.8, 2).astype(np.float32) * (width, height)
        matrix = crop_matrix(centre, side, self.size, 0.0, bool(self.rng.random() < 0.5))
        crop = self.camera(self.colour(self.warp(image, matrix)))
        none, cells = np.zeros(NUM_JOINTS, bool), self.size // STRIDE
        maps = np.zeros((NUM_JOINTS, cells, cells), np.uint8)
        return Sample(crop, np.zeros((NUM_JOINTS, 2), np.float32), none, np.float32(0), none, none, maps)

    def warp(self, image: Image, matrix: NDArray[np.float64]) -> Image:
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

    def occlude(self, crop: Image) -> Image:
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

    def from_afar(self, crop: Image) -> Image:
        """Few pixels, as of people far away."""
        if self.rng.random() < 0.12:
            side = int(self.rng.integers(36, 100))
            small = cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA)
            crop = np.asarray(cv2.resize(small, crop.shape[1::-1], interpolation=cv2.INTER_LINEAR), np.uint8)
        return crop

    def camera(self, crop: Image) -> Image:
        """Blur, motion, little light and JPEG compression, as of cheap cameras and video."""
        rng = self.rng
        if rng.random() < 0.1:
            crop = np.asarray(cv2.GaussianBlur(crop, (3, 3), float(rng.uniform(0.4, 1.2))), np.uint8)
        if rng.random() < 0.07:
            crop = np.asarray(cv2.filter2D(crop, -1, self.motion()), np.uint8)
        if rng.random() < 0.07:  # little light
            noise = rng.normal(0, rng.uniform(2, 9), crop.shape)
            crop = np.clip(crop * rng.uniform(0.15, 0.5) + noise, 0, 255).astype(np.uint8)
        if rng.random() < 0.1:
            quality = [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(20, 70))]
            written = cv2.imencode(".jpg", crop, quality)[1]
            crop = np.asarray(cv2.imdecode(written, cv2.IMREAD_COLOR), np.uint8)
        return crop

    def colour(self, crop: Image) -> Image:
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

    def motion(self) -> Floats:
        """A kernel of blur along a line."""
        length, angle = int(self.rng.integers(3, 10)), self.rng.uniform(0, np.pi)
        kernel = np.zeros((9, 9), np.float32)
        for t in np.linspace(-length / 2, length / 2, 4 * length):
            kernel[round(4 + t * np.sin(angle) * 0.8), round(4 + t * np.cos(angle) * 0.8)] = 1
        return kernel / kernel.sum()
