from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.evaluation.metrics.views import CROPS, average_views, views_of
from models.protocol.crop import map_points, plan_crop, to_image_px
from models.protocol.joints import PA16, PA17, flip_indices
from models.protocol.window import Window

IMAGE = (400, 300)
WINDOW = Window(200, 150, 180, 180)
places = arrays(np.float64, (16, 2), elements=st.floats(0, 300))


def seen(pose_px: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a network without errors says of each view, in pixels of the picture, and which views are mirrored."""
    found, mirrored = [], []
    for view in views_of(WINDOW):
        plan = plan_crop(IMAGE, view.window, mirror=view.mirror)
        crop = map_points(plan.affine, pose_px)
        network = crop[flip_indices(PA16)] if view.mirror else crop
        found.append(to_image_px(plan.affine, network))
        mirrored.append(view.mirror)
    return np.stack(found), np.array(mirrored)


def test_the_views_are_five_crops_plain_and_mirrored() -> None:
    views = views_of(WINDOW)
    assert len(views) == 2 * len(CROPS) == 10
    assert views[0].window == views[1].window == WINDOW
    assert [view.mirror for view in views[:2]] == [False, True]
    assert {view.window.centre_x for view in views} == {200, 191, 209}
    assert {(view.window.width, view.window.height) for view in views} == {(180, 180)}
    assert len(views_of(WINDOW, crops=[(0, 0)])) == 2


@given(places)
def test_views_without_errors_average_to_the_pose(pose_px: np.ndarray) -> None:
    points, mirrored = seen(pose_px)
    assert np.allclose(average_views(points, mirrored, PA16), pose_px, rtol=0, atol=1e-9)


@given(places, arrays(np.float64, (10, 16, 2), elements=st.floats(-20, 20)), st.permutations(range(10)))
def test_the_views_order_does_not_matter(pose_px: np.ndarray, errors: np.ndarray, order: list[int]) -> None:
    points, mirrored = seen(pose_px)
    points = points + errors
    plain = average_views(points, mirrored, PA16)
    assert np.allclose(average_views(points[order], mirrored[order], PA16), plain, rtol=0, atol=1e-9)


def test_independent_errors_become_smaller_by_the_root_of_the_views() -> None:
    pose_px = np.random.default_rng(0).uniform(0, 300, (16, 2))
    points, mirrored = seen(pose_px)
    errors = np.random.default_rng(1).normal(0, 5, (400, *points.shape))
    means = np.stack([average_views(points + error, mirrored, PA16) for error in errors])
    assert (means - pose_px).std() == pytest.approx(5 / np.sqrt(10), rel=0.03)


def test_depth_is_averaged_and_exchanged_like_the_rest() -> None:
    pose = np.random.default_rng(0).normal(0, 300, (17, 3))
    points = np.stack([pose, pose[flip_indices(PA17)]])
    assert np.allclose(average_views(points, [False, True], PA17), pose)


def test_blocks_of_a_network_are_averaged_each() -> None:
    points = np.random.default_rng(0).normal(0, 300, (10, 3, 16, 2))
    mirrored = np.arange(10) % 2 == 1
    each = [average_views(points[:, block], mirrored, PA16) for block in range(3)]
    assert np.allclose(average_views(points, mirrored, PA16), each)


def test_a_joint_that_a_view_lacks_is_taken_from_the_others() -> None:
    points = np.stack([np.full((16, 2), 10.0), np.full((16, 2), 20.0)])
    points[0, 3] = np.nan
    points[:, 0] = np.nan
    mean = average_views(points, [False, False], PA16)
    assert mean[[1, 3]].tolist() == [[15, 15], [20, 20]]
    assert np.isnan(mean[0]).all()
