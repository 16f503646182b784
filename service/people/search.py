"""People in a picture: all detections of `person`; without that network, the main person by keypoint search."""

from __future__ import annotations

from dataclasses import dataclass

from service.networks.catalogue import Catalogue, Model
from service.networks.frame import FrameInference, FrameOutput
from service.people.detector import Detection, PersonDetector
from service.people.keypoint_search import find_person
from service.vision.boxes import Box
from service.vision.crops import CropWindow, Image, crop_window_around

# Detected boxes hold the body with its outline, crops are sized by boxes of joints. Measured on LSP: 0.92 is best.
JOINTS_OVER_BODY = 0.92
UNDETECTED = 0.6  # mean keypoint score from which a person counts whom the detector missed


def body_crop(box: Box, margin: float) -> CropWindow:
    """The crop of a detected person."""
    return crop_window_around(box, JOINTS_OVER_BODY * margin)


@dataclass(frozen=True)
class Found:
    """Frame network's output for the crops of N people, by descending score, and what the detector said of each."""

    output: FrameOutput
    seen: list[tuple[Box | None, float | None]]  # box in pixels and detection score, where there was a detection


class PeopleSearch:
    def __init__(self, catalogue: Catalogue, detector: PersonDetector, inference: FrameInference) -> None:
        self._catalogue, self._detector, self._inference = catalogue, detector, inference

    async def detect(self, image: Image) -> list[Detection] | None:
        """Returns all detections by descending score; None where the repository has no detector.

        A detector that is there and does not answer is an error: without it people would be missed.
        """
        card = self._catalogue.detector
        return None if card is None else await self._detector.detect(card, image)

    async def find_undetected(self, model: Model, image: Image) -> FrameOutput | None:
        """Returns the main person by keypoint search; in a picture without detections, only with a high score."""
        alone = await find_person(self._inference, model, image)
        if alone is not None and self._catalogue.detector is not None and alone.person_scores()[0] < UNDETECTED:
            return None
        return alone

    async def find(self, model: Model, image: Image, limit: int, flip: bool = False) -> Found | None:
        """Returns the `limit` people with the highest scores, from one batch of crops."""
        seen = (await self.detect(image) or [])[:limit]
        if seen:
            crop_windows = [body_crop(detection.box, model.card.crop.margin) for detection in seen]
            return Found(await self._inference.run(model, image, crop_windows, flip), list(seen))
        alone = await self.find_undetected(model, image)
        if alone is not None and flip:
            alone = await self._inference.run(model, image, alone.crop_windows, flip)
        return Found(alone, [(None, None)]) if alone is not None else None
