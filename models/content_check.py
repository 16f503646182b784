"""Do these weights see people? Right shapes say nothing of it: random weights have them too.

A trained network's joints go where the person goes. The sample picture is shown with the person moved; a random network
leaves its joints near the image's centre (measured: it follows 0.2 of a move and less, a trained one 0.98).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.keras_file import WrongWeights

Crops = NDArray[np.uint8]  # (B, size, size, 3)
Joints = NDArray[np.float32]  # (B, K, 2 or 3), x and y in 0..1 of the crop

PICTURE = Path(__file__).resolve().parent.parent / "samples" / "person.jpg"
_CENTRE, _SIDE = (320, 245), 400  # of a crop with the whole person, px
_MOVE = 60  # px
MIN_SPREAD = 0.03  # mean distance of joints from the crop's centre, of its side
MIN_FOLLOWING = 0.5  # how much of a move the joints must make


def check_sees_people(joints_of: Callable[[Crops], Joints], size: int) -> None:
    """Raises WrongWeights where the joints stay at the centre, or do not follow a person who moves."""
    moves = ((0, 0), (_MOVE, 0), (-_MOVE, 0), (0, _MOVE), (0, -_MOVE))
    joints = joints_of(np.stack([_crop(*move, size) for move in moves]))[..., :2]  # (5, K, 2)
    if not np.isfinite(joints).all():
        raise WrongWeights("with these weights the joints are not finite numbers: the file is damaged")
    spread = float(np.abs(joints[0] - 0.5).mean())
    if spread < MIN_SPREAD:
        raise WrongWeights(
            f"with these weights all joints lie at the image's centre (on average {spread:.4f} of its side away): they "
            "are not trained, or belong to another network"
        )
    # A crop that moves right shows the person further left.
    follow_x = (joints[2] - joints[1])[:, 0].mean() / (2 * _MOVE / _SIDE)
    follow_y = (joints[4] - joints[3])[:, 1].mean() / (2 * _MOVE / _SIDE)
    following = float(follow_x + follow_y) / 2
    if following < MIN_FOLLOWING:
        raise WrongWeights(
            f"with these weights the joints do not follow a person who moves (they make {following:.0%} of the move): "
            "they are not trained, or belong to another network"
        )


def _crop(right: int, down: int, size: int) -> Crops:
    """(size, size, 3): the sample's person, with the window moved by so many pixels."""
    left, top = _CENTRE[0] + right - _SIDE // 2, _CENTRE[1] + down - _SIDE // 2
    window = Image.open(PICTURE).convert("RGB").crop((left, top, left + _SIDE, top + _SIDE))
    return np.asarray(window.resize((size, size), Image.Resampling.BILINEAR))
