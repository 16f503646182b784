"""Who is in a picture: everybody, by the detector `person`; without it, the main person, by the frame network."""

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
UNDETECTED = 0.6  # mean score of the joints from which somebody is there whom the detector does not see


def body_square(box: Box, margin: float) -> CropWindow:
    """The crop of a detected person."""
    return crop_window_around(box, JOINTS_OVER_BODY * margin)


@dataclass(frozen=True)
class Found:
    """People as N windows of the frame network, best first, and what is known of each beforehand."""

    output: FrameOutput
    seen: list[tuple[Box | None, float | None]]  # box in pixels; how sure the detector is, where it saw them


class PeopleSearch:
    def __init__(self, catalogue: Catalogue, detector: PersonDetector, inference: FrameInference) -> None:
        self._catalogue, self._detector, self._inference = catalogue, detector, inference

    async def detect(self, image: Image) -> list[Detection] | None:
        """The people whom the detector sees, best first; None where the repository has no detector.

        A detector that is there and does not answer is an error: without it people would be missed.
        """
        card = self._catalogue.detector
        return None if card is None else await self._detector.detect(card, image)

    async def find_undetected(self, model: Model, image: Image) -> FrameOutput | None:
        """The main person by the frame network alone; where a detector sees nobody, only one who is surely there."""
        alone = await find_person(self._inference, model, image)
        if alone is not None and self._catalogue.detector is not None and alone.person_scores()[0] < UNDETECTED:
            return None
        return alone

    async def find(self, model: Model, image: Image, limit: int, flip: bool = False) -> Found | None:
        """The best `limit` people, all windows in one batch."""
        seen = (await self.detect(image) or [])[:limit]
        if seen:
            crop_windows = [body_square(detection.box, model.card.crop.margin) for detection in seen]
            return Found(await self._inference.run(model, image, crop_windows, flip), list(seen))
        alone = await self.find_undetected(model, image)
        if alone is not None and flip:
            alone = await self._inference.run(model, image, alone.crop_windows, flip)
        return Found(alone, [(None, None)]) if alone is not None else None
