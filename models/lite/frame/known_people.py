"""People in pictures that no network is trained on, with what is known of their joints: scores are fitted by them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.deephar.pixels import to_network_range
from models.lite.frame import data as pose_data
from models.lite.frame.labels import SURE
from models.lite.frame.network import INPUT_SIZE, FrameNetwork, likeliest_position
from models.lite.frame.torso import torso_size
from models.lite.layout import LIMBS, NUM_JOINTS
from models.lite.movenet import taught
from service.vision.crops import JOINTS_OVER_BODY

FITTED, MEASURED = slice(0, None, 2), slice(1, None, 2)  # of LSP's held-out people
LEAST_JOINTS = 4  # of a person, known, to say what share of them is right

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """A picture, boxes (n, 4) of people in it, and what is known of their joints: (n, 16, 2), (n, 16)."""

    image: NDArray[np.uint8]
    boxes_px: Floats
    joints_px: Floats
    known: Bools
    everybody: bool  # whether nobody else is in the picture

    def right(self, person: int, joints_px: Floats) -> Bools | None:
        """Hits (16,) of joints (16, 2) at PCK@0.2. None if fewer than LEAST_JOINTS of the person's joints are known."""
        known = self.known[person]
        if known.sum() < LEAST_JOINTS:
            return None
        distance = np.linalg.norm(joints_px - self.joints_px[person], axis=-1)
        near = distance < pose_data.HIT_TORSO * torso_size(self.joints_px[person], known)
        return np.asarray(near & known)


def held_out_people(data: Path, chosen: slice) -> Iterator[Known]:
    """Of LSP's held-out people the chosen ones, with the boxes of their joints."""
    people = pose_data.load_held_out(data)
    for image, joints, valid in list(zip(people.images, people.joints, people.valid, strict=True))[chosen]:
        low, high = joints[valid].min(0), joints[valid].max(0)
        measured = np.isin(np.arange(len(valid)), pose_data.LSP_TO_PA16) & valid
        yield Known(image, np.concatenate([low, high - low])[None], joints[None], measured[None], everybody=False)


def everyday_people(data: Path, out: Path) -> Iterator[Known]:
    """The pictures that are kept out of training, with the joints that the teacher is sure of."""
    seen, kept = taught.load(out, "boxed"), pose_data.kept_pictures(data)
    for picture in pose_data.boxed_pictures(data, "boxed"):
        if picture.place in kept:
            shape = (len(picture.boxes_px), NUM_JOINTS)
            joints, known = np.zeros((*shape, 2), np.float32), np.zeros(shape, bool)
            joints[:, LIMBS], known[:, LIMBS] = seen.joints_px[picture.rows], seen.scores[picture.rows] >= SURE
            yield Known(picture.image, picture.boxes_px, joints, known, everybody=True)


@torch.inference_mode()
def look(network: FrameNetwork, image: NDArray[np.uint8], box: Floats) -> tuple[Floats, Floats]:
    """Joints (16, 2) in pixels and score logits (16,) of a person in a body's box (4,)."""
    side = max(float(box[2:].max()) * JOINTS_OVER_BODY * pose_data.PERSON_MARGIN, 1.0)
    centre = (box[:2] + box[2:] / 2).astype(np.float32)
    crop, back = pose_data.crop_around(image, centre, side, INPUT_SIZE)
    found = network(to_network_range(torch.from_numpy(crop[None])))
    joints = likeliest_position(found.heatmaps)[0].numpy() * INPUT_SIZE
    return (joints @ back[:, :2].T + back[:, 2]).astype(np.float32), found.score_logits[0].numpy()
