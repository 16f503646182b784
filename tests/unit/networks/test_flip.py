from __future__ import annotations

import numpy as np
import pytest

from service.networks.flip import flip_averaged
from service.vision.layouts import LAYOUTS, Layout, mirror_order

SIZE = 100
RNG = np.random.default_rng(5)


@pytest.mark.parametrize("layout", LAYOUTS.values(), ids=list(LAYOUTS))
def test_mirroring_the_joints_twice_changes_nothing(layout: Layout) -> None:
    order = mirror_order(layout)
    assert [order[i] for i in order] == list(range(len(order)))


@pytest.mark.parametrize("dims", [2, 3])
def test_views_that_agree_are_averaged_to_the_same(dims: int) -> None:
    layout = LAYOUTS["pa16"]
    keypoints = RNG.uniform(0.2, 0.8, (3, 16, dims)).astype(np.float32)
    scores = RNG.uniform(0.2, 0.8, (3, 16)).astype(np.float32)
    mirrored = keypoints[:, mirror_order(layout)].copy()
    mirrored[..., 0] = (SIZE - 1) / SIZE - mirrored[..., 0]
    other = {"keypoints": mirrored, "keypoint_scores": scores[:, mirror_order(layout)]}
    both = flip_averaged({"keypoints": keypoints, "keypoint_scores": scores}, other, layout, SIZE)
    assert np.allclose(both["keypoints"], keypoints, atol=1e-6)
    assert np.allclose(both["keypoint_scores"], scores)


def test_where_views_contradict_each_other_the_one_with_higher_scores_counts() -> None:
    layout = LAYOUTS["pa16"]
    a = {"keypoints": np.full((1, 16, 2), 0.2, np.float32), "keypoint_scores": np.full((1, 16), 0.9, np.float32)}
    b = {"keypoints": np.full((1, 16, 2), 0.2, np.float32), "keypoint_scores": np.full((1, 16), 0.3, np.float32)}
    assert np.allclose(flip_averaged(a, b, layout, SIZE)["keypoints"], 0.2)
    assert np.allclose(flip_averaged(b, a, layout, SIZE)["keypoints"][..., 0], 0.79)
