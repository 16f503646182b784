"""Keypoint search: the main person of a picture by the frame network alone.

Used where the repository has no detector `person`, and where the detector finds nobody.

The first batch is the whole picture and overlapping crops of it, since a network trained on people that fill their crop
is weak on small ones. Each refinement is a crop around the keypoints with high scores.
"""

from __future__ import annotations

import numpy as np

from service.networks.frame import FrameInference, FrameOutput
from service.networks.model import Model
from service.vision.boxes import Box, box_around
from service.vision.crops import CropWindow, crop_window_around, whole_picture
from service.vision.picture import Picture

MIN_KEYPOINT_SCORE = 0.3  # of the keypoints that the next crop is placed by
MIN_KEYPOINTS = 4
MIN_PERSON_SCORE = 0.3  # mean keypoint score under which a crop holds no person
REFINEMENTS = 2
CROP_SHARES = (1.0, 0.6)  # sides of the first crops over the picture's shorter side
CROP_OVERLAP = 0.5


def first_crops(width: int, height: int) -> list[CropWindow]:
    """Returns the whole picture and overlapping crops that cover it."""
    crop_windows = [whole_picture(width, height)]
    for share in CROP_SHARES:
        side = share * min(width, height)
        for top in _starts(height, side):
            for left in _starts(width, side):
                crop_windows.append(CropWindow(left, top, side))
    return list(dict.fromkeys(crop_windows))


def _starts(length: float, side: float) -> list[float]:
    count = max(1, int(np.ceil((length - side) / (side * CROP_OVERLAP) - 1e-6)) + 1)
    count = min(count, 4)
    return [float(start) for start in np.linspace(0, length - side, count)]


def person_box(output: FrameOutput, index: int) -> Box | None:
    """Returns the box around the keypoints with high scores of crop `index`; None where they are too few.

    The box is in pixels of the picture.
    """
    confident = output.scores[index] >= MIN_KEYPOINT_SCORE
    if confident.sum() < MIN_KEYPOINTS:
        return None
    box = box_around(output.keypoints_px[index][confident])
    return box if max(box.width, box.height) >= 4 else None


async def find_person(inference: FrameInference, model: Model, picture: Picture) -> FrameOutput | None:
    """Returns the output for one crop around the main person; None where there is nobody."""
    candidates = await inference.run(model, picture, first_crops(picture.width, picture.height))
    best = int(np.argmax(candidates.person_scores()))
    found = candidates.only(best)
    for _ in range(REFINEMENTS):
        box = person_box(found, 0)
        if box is None:
            break
        closer = await inference.run(model, picture, [crop_window_around(box, model.card.crop.margin)])
        if closer.person_scores()[0] < found.person_scores()[0]:
            break
        found = closer
    return found if found.person_scores()[0] >= MIN_PERSON_SCORE else None
