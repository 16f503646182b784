from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import InvalidArgument
from service.vision.boxes import Box, box_around, check_box
from service.vision.crops import CropWindow, crop, crop_window_around, depth_from_root, to_picture, whole_picture

lengths = st.floats(1, 2000)
places = st.floats(-1000, 3000)


@given(places, places, lengths, lengths, st.floats(1, 2))
def test_a_crop_window_is_centred_on_the_box(x: float, y: float, width: float, height: float, margin: float) -> None:
    crop_window = crop_window_around(Box(x, y, width, height), margin)
    assert crop_window.side == pytest.approx(max(width, height) * margin)
    assert crop_window.left + crop_window.side / 2 == pytest.approx(x + width / 2)
    assert crop_window.top + crop_window.side / 2 == pytest.approx(y + height / 2)


@given(places, places, lengths, st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=5))
def test_crop_coordinates_come_back(left: float, top: float, side: float, points: list[tuple[float, float]]) -> None:
    crop_window = CropWindow(left, top, side)
    keypoints_crop = np.array(points, np.float32)
    keypoints_px = to_picture(keypoints_crop, crop_window)
    back = (keypoints_px - [left, top]) / side
    assert np.allclose(back, keypoints_crop, atol=2e-3 * max(1, abs(left) / side, abs(top) / side))


def test_depth_is_counted_from_the_middle_of_the_crop() -> None:
    z_crop = np.array([0, 0.5, 0.7, 1], np.float32)
    assert depth_from_root(z_crop, 2000).tolist() == pytest.approx([-1000, 0, 400, 1000], abs=1e-3)


@pytest.mark.parametrize("side", [32.0, 64.0, 128.0, 300.0, 700.0])
@pytest.mark.parametrize("centre", [(200.0, 150.0), (20.0, 30.0), (395.0, 290.0)])
def test_a_mark_lands_where_the_coordinates_say(side: float, centre: tuple[float, float]) -> None:
    """A bright disc drawn at a pixel is found in the crop at the place that maps back to that pixel."""
    picture = np.zeros((300, 400, 3), np.uint8)
    radius = max(2, round(side / 40))
    cv2.circle(picture, (round(centre[0]), round(centre[1])), radius, (255, 255, 255), -1)
    crop_window = CropWindow(centre[0] - side * 0.4, centre[1] - side * 0.55, side)
    view = crop(picture, crop_window, 128)[:, :, 0].astype(float)
    rows, columns = np.mgrid[0:128, 0:128]
    found_crop = np.array([[(columns * view).sum(), (rows * view).sum()]]) / view.sum() / 128
    visible = picture[:, :, 0].astype(float)
    y, x = np.mgrid[0:300, 0:400]
    truth = [(x * visible).sum() / visible.sum(), (y * visible).sum() / visible.sum()]
    found_px = to_picture(found_crop.astype(np.float32), crop_window)[0]
    assert found_px == pytest.approx(truth, abs=max(0.6, 0.75 * side / 128))


def test_outside_of_the_picture_is_black() -> None:
    view = crop(np.full((50, 50, 3), 200, np.uint8), CropWindow(-50, -50, 100), 64)
    assert view[:28, :28].max() == 0
    assert view[40:60, 40:60].min() == 200


@given(st.integers(1, 60), st.integers(1, 60), st.floats(-100, 100), st.floats(-100, 100), st.floats(1, 400))
def test_any_window_gives_a_crop(width: int, height: int, left: float, top: float, side: float) -> None:
    view = crop(np.full((height, width, 3), 9, np.uint8), CropWindow(left, top, side), 32)
    assert view.shape == (32, 32, 3)


def test_the_window_of_the_whole_picture_covers_it() -> None:
    crop_window = whole_picture(640, 480)
    assert (crop_window.left, crop_window.top, crop_window.side) == (0, -80, 640)


@pytest.mark.parametrize(
    "box",
    [
        Box(math.nan, 0, 10, 10),
        Box(0, 0, math.inf, 10),
        Box(0, 0, 0, 10),
        Box(0, 0, 10, -5),
        Box(700, 0, 10, 10),
        Box(-50, 0, 40, 10),
        Box(0, 0, 1e7, 1e7),
    ],
)
def test_impossible_boxes_are_refused(box: Box) -> None:
    with pytest.raises(InvalidArgument):
        check_box(box, 640, 480)


def test_boxes_over_the_edge_are_taken() -> None:
    check_box(Box(-20, -20, 100, 100), 640, 480)


def test_box_around_points() -> None:
    assert box_around(np.array([[1, 5], [4, 2]], np.float32)) == Box(1, 2, 3, 3)
