"""What the networks of `known_networks.py` answer: constants, moved by the mean colour of the crop."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

DEPTH_SCALE_MM = 2000.0
SIZE_3D, MARGIN, MAX_BATCH_3D = 256, 1.25, 32
FEATURES, FRAMES, LABELS = 20_000, 20, tuple(f"action_{i:02d}" for i in range(60))
INTERVAL_S = 1 / 15
Z_PER_RED = 0.1  # how far z moves from no red to full red


def keypoints_crop(joints: int, dims: int, red: float = 0.0) -> NDArray[np.float32]:
    """(K, D): joints on an ellipse in the crop, z from 0.3 to 0.7 and further back the redder the crop is."""
    angles = 2 * np.pi * np.arange(joints) / joints
    columns = [0.5 + 0.2 * np.cos(angles), 0.5 + 0.3 * np.sin(angles), np.linspace(0.3, 0.7, joints) + Z_PER_RED * red]
    return np.stack(columns[:dims], axis=1).astype(np.float32)


def label_of(green: float) -> str:
    """The action of crops that are so green (0..1)."""
    return LABELS[round(green * (len(LABELS) - 1))]
