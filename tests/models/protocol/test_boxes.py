from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.protocol.boxes import (
    clip_window,
    confident_joints,
    h36m_window,
    joints_as_published,
    key_frames,
    mpii_window,
    predicted_window,
)
from models.protocol.crop import plan_crop
from models.protocol.window import Window, union

VECTORS = np.load(Path(__file__).parent.parent.parent / "golden" / "functions" / "boxes.npz")
IMAGE_SIZE = (480, 270)
windows = st.builds(Window, st.floats(-99, 99), st.floats(-99, 99), st.floats(0, 99), st.floats(0, 99))


@pytest.mark.parametrize(("row", "scale"), [(0, 0.7), (1, 1.0), (2, 1.3)])
def test_clip_windows_are_those_of_the_original(row: int, scale: float) -> None:
    window = clip_window(VECTORS["gt_in_pose"], VECTORS["gt_in_visible"], IMAGE_SIZE, 1.5 * scale)
    assert np.allclose(window.corners, VECTORS["gt_out"][row], rtol=0, atol=1e-10)


def test_the_window_of_one_frame_is_that_of_the_original() -> None:
    window = clip_window(VECTORS["gt_in_pose"][:1], VECTORS["gt_in_visible"][:1], IMAGE_SIZE)
    assert np.allclose(window.corners, VECTORS["gt_out_one"], rtol=0, atol=1e-10)


def test_the_human36m_window_is_that_of_the_original() -> None:
    window = h36m_window(VECTORS["crop_in_rootj"][0], (1000, 1002), (1145, 1143))
    assert [window.centre_x, window.centre_y] == VECTORS["crop_out_center"].tolist()
    assert np.allclose([window.width, window.height], VECTORS["crop_out_win"], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("frames", "key"), [(8, "pred_out_clip"), (1, "pred_out_frame")])
def test_windows_of_predictions_are_those_of_the_original(frames: int, key: str) -> None:
    predictions = VECTORS["pred_in_poses"][0, :frames]
    window = predicted_window(predictions, joints_as_published(predictions), VECTORS["pred_in_afmat"])
    assert np.allclose(window.corners, VECTORS[key], rtol=0, atol=1e-10)


def test_the_mpii_window_is_twelve_scaled_pixels_lower() -> None:
    assert mpii_window((150, 110), 0.8) == Window(150, 122, 200, 200)


def test_confident_joints_go_by_the_confidence() -> None:
    predictions = [[0.9, 0.1, 0.26], [0.9, 0.9, 0.25]]  # x, y, confidence
    assert confident_joints(predictions).tolist() == [True, False]
    assert joints_as_published(predictions).tolist() == [False, True]


@given(st.integers(1, 300))
def test_key_frames_lie_in_the_clip(frames: int) -> None:
    first, middle, last = key_frames(frames)
    assert 0 == first <= middle <= last == frames - 1
    assert abs(middle - frames / 2) <= 1


def test_the_middle_of_an_odd_clip_is_rounded_up() -> None:
    assert [key_frames(frames)[1] for frames in (1, 2, 3, 5, 8, 16, 20)] == [0, 1, 2, 3, 4, 8, 10]


@given(st.lists(windows, min_size=1, max_size=5))
def test_a_union_holds_every_window_in_either_order(parts: list[Window]) -> None:
    whole = union(parts)
    for part in parts:
        assert (np.array(whole.corners)[:2] <= np.array(part.corners)[:2] + 1e-9).all()
        assert (np.array(whole.corners)[2:] >= np.array(part.corners)[2:] - 1e-9).all()
    assert union(parts[::-1]) == whole


@given(arrays(np.float64, (4, 6, 2), elements=st.floats(-500, 500)), st.floats(1, 3))
def test_joints_of_the_key_frames_lie_in_the_clip_window(poses: np.ndarray, margin: float) -> None:
    left, top, right, bottom = clip_window(poses, np.ones((4, 6)), IMAGE_SIZE, margin).corners
    seen = poses[[0, 2, 3]].reshape(-1, 2)
    assert ((seen >= np.array([left, top]) - 1e-9) & (seen <= np.array([right, bottom]) + 1e-9)).all()


@given(arrays(np.float64, (1, 6, 2), elements=st.floats(0, 1)), st.booleans())
def test_a_mirrored_crop_gives_the_same_window(poses: np.ndarray, mirror: bool) -> None:
    window = Window(100, 80, 120, 120)
    plain, other = (plan_crop(IMAGE_SIZE, window, mirror=m).affine for m in (False, mirror))
    turned = np.where([mirror, False], 1 - poses, poses)
    chosen = np.ones((1, 6), bool)
    assert np.allclose(
        predicted_window(turned, chosen, other).corners, predicted_window(poses, chosen, plain).corners, atol=1e-9
    )


def test_nothing_visible_means_the_whole_image() -> None:
    assert clip_window(np.zeros((1, 3, 2)), np.zeros((1, 3)), IMAGE_SIZE).corners == (0, 0, 480, 270)
    assert Window.of_whole_image(480, 270).corners == (0, -105, 480, 375)


def test_predictions_without_a_selected_joint_are_refused() -> None:
    with pytest.raises(ValueError, match=r"frames \[1\]"):
        predicted_window(np.zeros((2, 3, 2)), np.array([[True] * 3, [False] * 3]), np.eye(3))


@given(windows)
def test_no_window_is_smaller_than_the_limit(window: Window) -> None:
    limited = window.at_least_smallest()
    assert min(limited.width, limited.height) >= 32
    if min(window.width, window.height) < 32:
        assert (limited.width, limited.height) == (32, 32)
    else:
        assert limited == window


def test_boxes_are_cut_toward_zero() -> None:
    assert Window.from_corners(-1.5, 2.9, 10.9, 20.1).cut_to_pixels().corners == (-1, 2, 10, 20)


def test_a_union_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        union([])
