"""The detector: the Triton model `person`, its letterbox input and its boxes after NMS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.networks.card import PersonCard
from service.networks.model import PERSON_NETWORK
from service.networks.server import InferenceServer
from service.networks.tensors import BOX_SCORES, BOXES, IMAGE
from service.people.tiles import Tile, is_cut, merged, tiles_of
from service.vision.boxes import Box
from service.vision.crops import letterbox
from service.vision.picture import Picture
from service.workers import Workers

Array = NDArray[np.float32]


class Detection(NamedTuple):
    box: Box
    score: float


class PersonDetector:
    """Finds people in whole pictures and, where asked, in the tiles of large ones.

    Args:
        server: Runs the network.
        workers: For the pictures that are its input.
        most_tiles: Of a picture; 0: large pictures are looked at as a whole only.
    """

    def __init__(self, server: InferenceServer, workers: Workers, most_tiles: int) -> None:
        self._server, self._workers, self._most_tiles = server, workers, most_tiles

    async def detect(self, card: PersonCard, picture: Picture, tiled: bool) -> list[Detection]:
        """Returns the detections in the picture by descending score."""
        tiles = tiles_of(picture.width, picture.height, card.size, self._most_tiles) if tiled else []
        looks = [Tile(0, 0, picture.width, picture.height), *tiles]
        inputs = await self._workers.run(_inputs, picture, looks, card.size)
        answer = await self._server.infer(PERSON_NETWORK, {IMAGE: inputs})
        return detections(answer[BOXES], answer[BOX_SCORES], looks, card)


def _inputs(picture: Picture, looks: list[Tile], size: int) -> NDArray[np.uint8]:
    """Returns what the detector looks at (N, S, S, 3). Tiles are of pictures with all their pixels."""
    pixels, (_, *tiles) = picture.pixels, looks
    parts = [pixels[t.top : t.top + t.height, t.left : t.left + t.width] for t in tiles]
    return np.stack([letterbox(part, size) for part in (pixels, *parts)])


def detections(boxes: Array, scores: Array, looks: list[Tile], card: PersonCard) -> list[Detection]:
    """Returns the detections in a picture by descending score, after NMS.

    Args:
        boxes: (L, N, 4) as x, y, width, height in 0..1 of the letterbox of each look.
        scores: (L, N).
        looks: The whole picture and then its tiles.
        card: The detector's, with the score's threshold and that of NMS.
    """
    whole, found = looks[0], []
    for look, of_look, scores_of_look in zip(looks, boxes, scores, strict=True):
        above = scores_of_look >= card.threshold
        pixels = of_look[above].astype(np.float64) * max(look.width, look.height)
        low, high = np.maximum(pixels[:, :2], 0), np.minimum(pixels[:, :2] + pixels[:, 2:], (look.width, look.height))
        inside = (high - low >= 1).all(axis=1)  # at least a pixel of it in the picture
        in_picture = np.hstack([low + np.array([look.left, look.top]), high - low])[inside]
        is_cut_off = is_cut(in_picture, look, whole.width, whole.height)
        is_of_tile = np.full(len(in_picture), look is not whole)
        found.append((in_picture, scores_of_look[above][inside], is_of_tile, is_cut_off))
    rows, sure, of_tile, is_cut_off = (np.concatenate(parts) for parts in zip(*found, strict=True))
    tile_side = max((max(look.width, look.height) for look in looks[1:]), default=np.inf)
    kept = merged(rows, sure, of_tile, is_cut_off, tile_side, card.overlap)
    return [Detection(Box(*rows[i].tolist()), float(sure[i])) for i in kept]
