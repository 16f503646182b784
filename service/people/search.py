"""Search for people in a picture: all detections of `person` or, without it, the main person by keypoint search."""

from __future__ import annotations

from dataclasses import dataclass

from service.networks.catalogue import Catalogue
from service.networks.frame import FrameInference, FrameOutput
from service.networks.model import Model
from service.people.association import first_of_same
from service.people.detector import Detection, PersonDetector
from service.people.keypoint_search import find_person
from service.vision.boxes import Box
from service.vision.crops import JOINTS_OVER_BODY, CropWindow, crop_window_around
from service.vision.picture import Picture

# Mean keypoint distance over the person's size, up to which two detections are the same person. Two people, one of whom
# hides the other, have poses that differ by more.
SAME_PERSON = 0.04
UNDETECTED = 0.6  # lowest mean keypoint score of a person that the detector missed


def body_crop(box: Box, margin: float) -> CropWindow:
    """Returns the crop window of a detected person; `margin` is that of the model's card."""
    return crop_window_around(box, JOINTS_OVER_BODY * margin)


@dataclass(frozen=True)
class Found:
    """N people: the frame network's output for their crops, and their boxes and detection scores."""

    output: FrameOutput
    boxes: list[tuple[Box | None, float | None]]  # in pixels, with the detection score; None where there is none


class PeopleSearch:
    """Finds people by the detector and by keypoint search."""

    def __init__(self, catalogue: Catalogue, detector: PersonDetector, inference: FrameInference) -> None:
        self._catalogue, self._detector, self._inference = catalogue, detector, inference

    @property
    def has_detector(self) -> bool:
        """Whether the repository has one.

        Raises:
            Unavailable: It has, but it is not ready.
        """
        return self._catalogue.detector is not None

    async def detect(self, picture: Picture, tiled: bool = False) -> list[Detection] | None:
        """Returns all detections by descending score; None where the repository has no detector.

        Args:
            picture: Decoded.
            tiled: Whether a large one is looked at in tiles as well: for single pictures, since it takes long.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: There is a detector, but it did not answer.
        """
        card = self._catalogue.detector
        return None if card is None else await self._detector.detect(card, picture, tiled)

    async def find_undetected(self, model: Model, picture: Picture) -> FrameOutput | None:
        """Returns the output for the main person, by keypoint search; None where there is none.

        Where there is a detector, which has found nobody, a high score is required.
        """
        found = await find_person(self._inference, model, picture)
        if found is not None and self._catalogue.detector is not None and found.person_scores()[0] < UNDETECTED:
            return None
        return found

    async def find(self, model: Model, picture: Picture, limit: int, flip: bool = False) -> Found | None:
        """Returns the people in a picture by descending score; None where there are none.

        Args:
            model: The model whose frame network is used.
            picture: Decoded.
            limit: Largest number of people.
            flip: Whether the output is averaged with that for the mirrored crops.

        Raises:
            Unavailable, DeadlineExceeded, Overloaded: A network did not answer.
        """
        detections = (await self.detect(picture, tiled=True) or [])[:limit]
        if detections:
            crop_windows = [body_crop(detection.box, model.card.crop.margin) for detection in detections]
            output = await self._inference.run(model, picture, crop_windows, flip)
            people = [i for i, first in enumerate(first_of_same(output.keypoints_px, SAME_PERSON)) if i == first]
            return Found(output.only(*people), [detections[i] for i in people])
        undetected = await self.find_undetected(model, picture)
        if undetected is not None and flip:
            undetected = await self._inference.run(model, picture, undetected.crop_windows, flip)
        return Found(undetected, [(None, None)]) if undetected is not None else None
