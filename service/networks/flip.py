"""Flip test: the average of a frame network's outputs for crops and for their mirror images."""

from __future__ import annotations

import numpy as np

from service.networks.server import Tensors
from service.networks.tensors import KEYPOINT_SCORES, KEYPOINTS
from service.vision.layouts import Layout, mirror_order

SAME_PLACE_CROP = 0.08  # in crop sides: up to this distance the two views of a joint are averaged


def flip_averaged(output: Tensors, mirrored: Tensors, layout: Layout, size: int) -> Tensors:
    """Returns the keypoints and scores of crops, averaged with those of their mirror images.

    Where the two views of a joint agree, the joint is their mean, weighted by score. Where they do not, the mean would
    be at neither place, and the view with the higher score is taken.

    Args:
        output: `keypoints` (N, K, D) in 0..1 of the crops and `keypoint_scores` (N, K).
        mirrored: The same of the mirrored crops.
        layout: The network's joint layout.
        size: Side of the crops in pixels. Pixel i is at i / size, and is pixel size - 1 - i of the mirrored crop.

    Returns:
        `keypoints` and `keypoint_scores` in the shapes and the frame of `output`.
    """
    order = mirror_order(layout)
    theirs = mirrored[KEYPOINTS][:, order].copy()
    theirs[..., 0] = (size - 1) / size - theirs[..., 0]
    ours = output[KEYPOINTS]
    a, b = output[KEYPOINT_SCORES], mirrored[KEYPOINT_SCORES][:, order]
    share = ((a + 1e-3) / (a + b + 2e-3))[..., None]
    apart = np.linalg.norm((ours - theirs)[..., :2], axis=-1, keepdims=True) > SAME_PLACE_CROP
    keypoints = np.where(apart, np.where(share >= 0.5, ours, theirs), share * ours + (1 - share) * theirs)
    return {KEYPOINTS: keypoints.astype(np.float32), KEYPOINT_SCORES: (a + b) / 2}
