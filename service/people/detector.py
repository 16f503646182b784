"""The detector: the Triton model `person`, its letterbox input and its boxes after NMS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.networks.card import PersonCard
from service.networks.catalogue import PERSON_NETWORK
from service.networks.server import InferenceServer
from service.networks.tensors import BOX_SCORES, BOXES, IMAGE
from service.vision.boxes import Box, nms
from service.vision.crops import Image, letterbox
from service.workers import Workers

Array = NDArray[np.float32]


class Detection(NamedTuple):
    box: Box
    score: float


class PersonDetector:
    def __init__(self, server: InferenceServer, workers: Workers) -> None:
        self._server, self._workers = server, workers

    async def detect(self, card: PersonCard, image: Image) -> list[Detection]:
        """Returns the detections in the picture by descending score."""
        picture = await self._workers.run(letterbox, image, card.size)
        answer = await self._server.infer(PERSON_NETWORK, {IMAGE: picture[None]})
        return detections(answer[BOXES][0], answer[BOX_SCORES][0], image.shape[1], image.shape[0], card)


def detections(boxes: Array, scores: Array, width: int, height: int, card: PersonCard) -> list[Detection]:
    """Returns the detections in a picture by descending score, after NMS.

    Args:
        boxes: (N, 4) as x, y, width, height in 0..1 of the letterbox.
        scores: (N,).
        width: Of the picture, in pixels.
        height: Likewise.
        card: The detector's, with the score's threshold and that of NMS.
    """
    above = scores >= card.threshold
    pixels = (boxes[above] * max(width, height)).astype(np.float64)
    low, high = np.maximum(pixels[:, :2], 0), np.minimum(pixels[:, :2] + pixels[:, 2:], (width, height))
    inside = (high - low >= 1).all(axis=1)  # at least a pixel of it in the picture
    pixels, scores = np.concatenate([low, high - low], axis=1)[inside], scores[above][inside]
    return [Detection(Box(*pixels[i].tolist()), float(scores[i])) for i in nms(pixels, scores, card.overlap)]
