"""Finds the main person of a picture with nothing but the frame network: a look, then a crop around the joints.

This is for repositories without the detector `person`, and for whom the detector does not see.

The first look takes the whole picture and, since a network trained on people that fill their crop is weak on small
ones, overlapping windows of it, all in one batch. Each further look crops around the joints that the last one was
sure of.
"""

from __future__ import annotations

import numpy as np

from service.networks.catalogue import Model
from service.networks.frame import FrameInference, FrameOutput
from service.vision.boxes import Box, box_around
from service.vision.crops import CropWindow, Image, crop_window_around, whole_picture

SURE_JOINT = 0.3  # score from which a joint helps to place the next crop
FEWEST_SURE_JOINTS = 4
NOBODY = 0.3  # mean score under which a window holds no person
CLOSER_LOOKS = 2
WINDOW_SHARES = (1.0, 0.6)  # sides of the first look's windows over the picture's shorter side
WINDOW_OVERLAP = 0.5


def first_look(width: int, height: int) -> list[CropWindow]:
    """The whole picture and the windows that cover it, in pixels."""
    crop_windows = [whole_picture(width, height)]
    for share in WINDOW_SHARES:
        side = share * min(width, height)
        for top in _starts(height, side):
            for left in _starts(width, side):
                crop_windows.append(CropWindow(left, top, side))
    return list(dict.fromkeys(crop_windows))


def _starts(length: float, side: float) -> list[float]:
    count = max(1, int(np.ceil((length - side) / (side * WINDOW_OVERLAP) - 1e-6)) + 1)
    count = min(count, 4)
    return [float(start) for start in np.linspace(0, length - side, count)]


def person_box(output: FrameOutput, index: int) -> Box | None:
    """Box of the joints that the network is sure of, or None where they are too few to place a crop."""
    sure = output.scores[index] >= SURE_JOINT
    if sure.sum() < FEWEST_SURE_JOINTS:
        return None
    box = box_around(output.keypoints_px[index][sure])
    return box if max(box.width, box.height) >= 4 else None


async def find_person(inference: FrameInference, model: Model, image: Image) -> FrameOutput | None:
    """The main person in a crop of their own (one window), or None where nobody is seen."""
    height, width = image.shape[:2]
    look = await inference.run(model, image, first_look(width, height))
    best = int(np.argmax(look.person_scores()))
    found = look.only(best)
    for _ in range(CLOSER_LOOKS):
        box = person_box(found, 0)
        if box is None:
            break
        closer = await inference.run(model, image, [crop_window_around(box, model.card.crop.margin)])
        if closer.person_scores()[0] < found.person_scores()[0]:
            break
        found = closer
    return found if found.person_scores()[0] >= NOBODY else None
