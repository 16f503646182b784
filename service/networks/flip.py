"""Test-time flip: what a frame network says of a crop and of its mirror image, as one."""

from __future__ import annotations

import numpy as np

from service.networks.server import Tensors
from service.networks.tensors import KEYPOINT_SCORES, KEYPOINTS
from service.vision.layouts import Layout, mirror_order

SAME_PLACE_CROP = 0.08  # as far apart as this, two views of a joint are still about the same place


def both_views(seen: Tensors, mirrored: Tensors, layout: Layout, size: int) -> Tensors:
    """`keypoints` (N, K, D) in 0..1 of crops of `size` pixels and `keypoint_scores` (N, K) of both.

    Pixel i of a crop is its coordinate i / size, and the mirror's pixel size - 1 - i.

    Where the views agree, the joint is their mean, weighted by score. Where they do not, the mean would be a place that
    neither sees: the surer view counts.
    """
    order = mirror_order(layout)
    theirs = mirrored[KEYPOINTS][:, order].copy()
    theirs[..., 0] = (size - 1) / size - theirs[..., 0]
    ours = seen[KEYPOINTS]
    a, b = seen[KEYPOINT_SCORES], mirrored[KEYPOINT_SCORES][:, order]
    share = ((a + 1e-3) / (a + b + 2e-3))[..., None]
    apart = np.linalg.norm((ours - theirs)[..., :2], axis=-1, keepdims=True) > SAME_PLACE_CROP
    keypoints = np.where(apart, np.where(share >= 0.5, ours, theirs), share * ours + (1 - share) * theirs)
    return {KEYPOINTS: keypoints.astype(np.float32), KEYPOINT_SCORES: (a + b) / 2}
