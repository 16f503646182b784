"""Whether weights are trained: their shapes do not tell, since random weights have the same ones.

With trained weights, keypoints follow a person who moves in the picture; with random ones they stay near the crop's
centre (measured: networks with random weights follow 0.2 of a move or less, the trained `lite` 0.98). The action part
is not checked.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.files.sample_picture import SIDE_PX, person_crops
from models.weights.keras_file import WrongWeights

Crops = NDArray[np.uint8]  # (B, size, size, 3)
Joints = NDArray[np.float32]  # (B, K, 2 or 3), x and y in 0..1 of the crop

MOVE_PX = 60
_WHY = "are not trained, or belong to another network (--unchecked imports them all the same)"
MIN_SPREAD = 0.03  # mean distance of joints from the crop's centre, of its side
MIN_FOLLOWING = 0.5  # how much of a move the joints must make


def check_sees_people(joints_of: Callable[[Crops], Joints], size: int) -> None:
    """Checks that keypoints follow a person who moves.

    Args:
        joints_of: Crops (B, size, size, 3) to keypoints (B, K, 2 or 3) in 0..1 of the crop.
        size: Side of the crops in pixels.

    Raises:
        WrongWeights: The joints stay at the centre, do not follow the person, or are not finite.
    """
    moves = [(0, 0), (MOVE_PX, 0), (-MOVE_PX, 0), (0, MOVE_PX), (0, -MOVE_PX)]
    joints = joints_of(person_crops(moves, size))[..., :2]  # (5, K, 2)
    if not np.isfinite(joints).all():
        raise WrongWeights("with these weights the joints are not finite numbers: the file is damaged")
    spread = float(np.abs(joints[0] - 0.5).mean())
    if spread < MIN_SPREAD:
        raise WrongWeights(
            f"with these weights all joints lie at the image's centre (on average {spread:.4f} of its side away): they "
            f"{_WHY}"
        )
    # A crop that moves right shows the person further left.
    follow_x = (joints[2] - joints[1])[:, 0].mean() / (2 * MOVE_PX / SIDE_PX)
    follow_y = (joints[4] - joints[3])[:, 1].mean() / (2 * MOVE_PX / SIDE_PX)
    following = float(follow_x + follow_y) / 2
    if following < MIN_FOLLOWING:
        raise WrongWeights(
            f"with these weights the joints do not follow a person who moves (they make {following:.0%} of the move): "
            f"they {_WHY}"
        )
