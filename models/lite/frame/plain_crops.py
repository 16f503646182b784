"""Predictions of a frame network for people with labels: for evaluation, relabelling and calibration."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from models.deephar.pixels import to_network_range
from models.lite.frame.data import PERSON_MARGIN, People, crop_around, person_square
from models.lite.frame.network import FrameNetwork, likeliest_position
from models.lite.layout import FLIP

BATCH = 50
MIN_PERSON_PX = 16.0
JITTER_DEG = 13.0  # standard deviation
JITTER_SHIFT, JITTER_ZOOM = 0.06, (0.95, 1.35)  # of the crop's side


@torch.no_grad()
def predict(
    network: FrameNetwork,
    people: People,
    size: int,
    flip_test: bool = False,
    jitter: np.random.Generator | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Predictions from crops around the labelled joints.

    Args:
        network: Left in evaluation mode.
        people: N people with labels.
        size: Side of the crops in pixels.
        flip_test: Averages heat maps and logits with those of the mirrored crop.
        jitter: Rotates, shifts and enlarges the crops at random.

    Returns:
        Keypoints (N, 16, 2) in pixels of the pictures, and score logits (N, 16).
    """
    network.eval()
    device = next(network.parameters()).device
    flip = torch.from_numpy(FLIP).to(device)
    keypoints, logits = [], []
    for start in range(0, len(people.images), BATCH):
        crops, matrices = [], []
        for i in range(start, min(start + BATCH, len(people.images))):
            centre, extent = person_square(people.joints[i], people.valid[i])
            side, angle = max(extent, MIN_PERSON_PX) * PERSON_MARGIN, 0.0
            if jitter is not None:
                side *= np.exp(jitter.uniform(*np.log(JITTER_ZOOM)))
                centre = centre + jitter.uniform(-JITTER_SHIFT, JITTER_SHIFT, 2).astype(np.float32) * side
                angle = np.deg2rad(jitter.normal(0, JITTER_DEG))
            crop, back = crop_around(people.images[i], centre, side, size, angle)
            crops.append(crop)
            matrices.append(back)
        x = to_network_range(torch.from_numpy(np.stack(crops)).to(device))
        prediction = network(x)
        maps, scores = prediction.heatmaps, prediction.score_logits
        if flip_test:
            mirrored = network(x.flip(3))
            maps = (maps + mirrored.heatmaps.flip(3)[:, flip]) / 2
            scores = (scores + mirrored.score_logits[:, flip]) / 2
        found = likeliest_position(maps).cpu().numpy() * size
        keypoints += [points @ matrix[:, :2].T + matrix[:, 2] for points, matrix in zip(found, matrices, strict=True)]
        logits.append(scores.cpu().numpy())
    return np.stack(keypoints).astype(np.float32), np.concatenate(logits)
