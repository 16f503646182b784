"""The picture that a network is tried on: crops of the person, and where the joints are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.files.sample_picture import PICTURE
from service.vision.boxes import Box
from service.vision.crops import CropWindow, crop, crop_window_around

MOVES = ((0.0, 0.0), (0.12, 0.05), (-0.09, -0.11))  # of further crops, as shares of their side

# samples/person.jpg: a drawn person who faces the camera, arms up. In pixels.
PERSON = Box(203, 106, 236, 298)
JOINTS: dict[str, tuple[float, float]] = {
    "nose": (320, 135), "left_eye": (327, 132), "right_eye": (313, 132), "left_ear": (337, 130),
    "right_ear": (303, 130), "head": (320, 115), "neck": (320, 156), "thorax": (320, 165),
    "shoulder_middle": (320, 165), "spine": (320, 212), "pelvis": (319, 260), "left_shoulder": (347, 162),
    "right_shoulder": (293, 164), "left_elbow": (387, 149), "right_elbow": (253, 151), "left_wrist": (421, 126),
    "right_wrist": (217, 130), "left_hip": (337, 259), "right_hip": (301, 259), "left_knee": (357, 323),
    "right_knee": (279, 325), "left_ankle": (382, 391), "right_ankle": (256, 385),
}  # fmt: skip


@dataclass(frozen=True)
class Sample:
    """A picture, the person's box, and the joints that are known of it."""

    picture: NDArray[np.uint8]
    box: Box
    joints: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def window(self, margin: float) -> CropWindow:
        return crop_window_around(self.box, margin)

    def crops(self, margin: float, side: int) -> NDArray[np.uint8]:
        """Returns crops (N, side, side, 3): the person's as the service makes it, and some beside."""
        window = self.window(margin)
        moved = [
            CropWindow(window.left + right * window.side, window.top + down * window.side, window.side)
            for right, down in MOVES
        ]
        return np.stack([crop(self.picture, one, side) for one in moved])


def sample(file: Path | None = None, box: Box | None = None) -> Sample:
    """Returns the committed picture, or the user's; without a box the person fills that.

    Raises:
        OSError: The file is no picture, or cannot be read.
    """
    with Image.open(file or PICTURE) as opened:
        picture = np.asarray(opened.convert("RGB"))
    if file is None:
        return Sample(picture, PERSON, JOINTS)
    height, width = picture.shape[:2]
    return Sample(picture, box or Box(0, 0, width, height))
