"""The detector: the Triton model `person`, its letterbox input and its boxes after NMS."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.networks.card import PersonCard
from service.networks.catalogue import PERSON_NETWORK
from service.networks.server import InferenceServer
from service.networks.tensors import BOX_SCORES, BOXES, IMAGE
from service.vision.boxes import Box, iou
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
    """Detections in pixels, by descending score, after NMS. Boxes (N, 4) are in 0..1 of the letterbox, scores (N,)."""
    longer = max(width, height)
    kept: list[Detection] = []
    for i in np.argsort(-scores, kind="stable"):
        if scores[i] < card.threshold:
            break
        box = _inside((boxes[i] * longer).tolist(), width, height)
        if box is not None and all(iou(box, other.box) <= card.overlap for other in kept):
            kept.append(Detection(box, float(scores[i])))
    return kept


def _inside(box: list[float], width: int, height: int) -> Box | None:
    """The part of a box x, y, width, height inside the picture; None if that is less than a pixel."""
    left, top = max(box[0], 0.0), max(box[1], 0.0)
    right, bottom = min(box[0] + box[2], width), min(box[1] + box[3], height)
    return Box(left, top, right - left, bottom - top) if right - left >= 1 and bottom - top >= 1 else None
