"""What a frame network says of people in plain crops: for evaluation, clean labels and calibrated scores."""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.deephar.pixels import to_network_range
from models.lite.frame.data import PERSON_MARGIN, People, crop_matrix, person_square
from models.lite.frame.network import FrameNetwork, likeliest_place
from models.lite.layout import FLIP

BATCH = 50
SMALLEST_PERSON = 16.0  # pixels
SHAKEN_TURN, SHAKEN_SHIFT, SHAKEN_ZOOM = 13.0, 0.06, (0.95, 1.35)  # degrees (normal), crop sides, times the margin


@torch.no_grad()
def look(
    network: FrameNetwork,
    people: People,
    size: int,
    mirrored_too: bool = False,
    shaken: np.random.Generator | None = None,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Keypoints (N, 16, 2) in pixels of the pictures, as served, and score logits (N, 16).

    `mirrored_too` averages maps and logits with those of the mirrored crop. `shaken` turns, shifts and widens the crops
    at random.
    """
    network.eval()
    device = next(network.parameters()).device
    flip = torch.from_numpy(FLIP).to(device)
    keypoints, logits = [], []
    for start in range(0, len(people.images), BATCH):
        crops, matrices = [], []
        for i in range(start, min(start + BATCH, len(people.images))):
            centre, extent = person_square(people.joints[i], people.valid[i])
            side, angle = max(extent, SMALLEST_PERSON) * PERSON_MARGIN, 0.0
            if shaken is not None:
                side *= np.exp(shaken.uniform(*np.log(SHAKEN_ZOOM)))
                centre = centre + shaken.uniform(-SHAKEN_SHIFT, SHAKEN_SHIFT, 2).astype(np.float32) * side
                angle = np.deg2rad(shaken.normal(0, SHAKEN_TURN))
            matrix = crop_matrix(centre, side, size, angle, False)
            crops.append(cv2.warpAffine(people.images[i], matrix, (size, size), flags=cv2.INTER_LINEAR))
            matrices.append(cv2.invertAffineTransform(matrix))
        x = to_network_range(torch.from_numpy(np.stack(crops)).to(device))
        prediction = network(x)[-1]
        maps, scores = prediction.heatmaps, prediction.score_logits
        if mirrored_too:
            mirrored = network(x.flip(3))[-1]
            maps = (maps + mirrored.heatmaps.flip(3)[:, flip]) / 2
            scores = (scores + mirrored.score_logits[:, flip]) / 2
        found = likeliest_place(maps).cpu().numpy() * size
        keypoints += [points @ matrix[:, :2].T + matrix[:, 2] for points, matrix in zip(found, matrices, strict=True)]
        logits.append(scores.cpu().numpy())
    return np.stack(keypoints).astype(np.float32), np.concatenate(logits)
