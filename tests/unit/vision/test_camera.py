from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.errors import InvalidArgument
from service.vision.camera import Camera, check_camera, positions_mm

CAMERA = Camera(1145.05, 1143.78, 512.54, 515.45, (4500.0,))

focal_lengths = st.floats(200, 5000)
pixels = st.floats(-500, 4500)
points = st.lists(st.tuples(pixels, pixels, st.floats(-1000, 1000)), min_size=1, max_size=20)


def project(places_mm: NDArray[np.float32], camera: Camera) -> NDArray[np.float64]:
    """(..., 3) to pixels (..., 2)."""
    x, y, z = np.moveaxis(places_mm.astype(np.float64), -1, 0)
    return np.stack([camera.fx * x / z + camera.cx, camera.fy * y / z + camera.cy], axis=-1)


@given(points, focal_lengths, focal_lengths, pixels, pixels, st.floats(1100, 20_000))
def test_places_project_back_to_their_pixels(
    sent: list[tuple[float, float, float]], fx: float, fy: float, cx: float, cy: float, root_depth_mm: float
) -> None:
    camera = Camera(fx, fy, cx, cy, (root_depth_mm,))
    keypoints = np.array(sent, np.float32)
    places = positions_mm(keypoints[:, :2], keypoints[:, 2], camera, root_depth_mm)
    assert places.shape == (len(sent), 3)
    assert project(places, camera) == pytest.approx(keypoints[:, :2].astype(float), abs=0.01)
    assert places[:, 2] - root_depth_mm == pytest.approx(keypoints[:, 2].astype(float), abs=0.01)


@given(points, st.floats(1100, 20_000), st.floats(0.1, 10))
def test_a_larger_picture_of_the_same_camera_gives_the_same_places(
    sent: list[tuple[float, float, float]], root_depth_mm: float, scale: float
) -> None:
    keypoints = np.array(sent, np.float32)
    larger = Camera(CAMERA.fx * scale, CAMERA.fy * scale, CAMERA.cx * scale, CAMERA.cy * scale, (root_depth_mm,))
    places = positions_mm(keypoints[:, :2], keypoints[:, 2], CAMERA, root_depth_mm)
    assert positions_mm(keypoints[:, :2] * np.float32(scale), keypoints[:, 2], larger, root_depth_mm) == pytest.approx(
        places, rel=1e-5, abs=0.01
    )


def test_the_camera_of_the_original_implementation() -> None:
    """Two points of deephar's own camera functions, without lens distortion."""
    uvd = np.array([[443.25920386, 569.17576873, 4415.01172723], [475.40604983, 325.65637258, 4642.62507114]])
    places = positions_mm(uvd[:, :2], uvd[:, 2] - 4500, CAMERA, 4500)
    assert places == pytest.approx(
        np.array([[-267.12853362, 207.38245028, 4415.01172723], [-150.56024458, -770.37599274, 4642.62507114]]),
        abs=1e-3,
    )


def test_one_root_depth_is_for_all_and_several_are_each_their_own() -> None:
    assert [CAMERA.root_depth_mm(i) for i in range(3)] == [4500] * 3
    several = dataclasses.replace(CAMERA, root_depths_mm=(1.0, 2.0, 3.0))
    assert [several.root_depth_mm(i) for i in range(3)] == [1, 2, 3]


@pytest.mark.parametrize(("depths", "people"), [((4500.0,), 1), ((4500.0,), 7), ((1.0, 2.0), 2)])
def test_possible_cameras_are_taken(depths: tuple[float, ...], people: int) -> None:
    check_camera(dataclasses.replace(CAMERA, root_depths_mm=depths), people)


@pytest.mark.parametrize(
    ("change", "people", "says"),
    [
        ({"fx": 0.0}, 1, "fx and fy"),
        ({"fy": -1.0}, 1, "fx and fy"),
        ({"cx": float("nan")}, 1, "finite"),
        ({"root_depths_mm": (float("inf"),)}, 1, "finite"),
        ({"root_depths_mm": (0.0,)}, 1, "greater than 0"),
        ({"root_depths_mm": (1.0, -2.0)}, 2, "greater than 0"),
        ({"root_depths_mm": ()}, 1, "exactly one"),
        ({"root_depths_mm": (1.0, 2.0)}, 1, "exactly one"),
        ({"root_depths_mm": (1.0, 2.0)}, 3, "each of the 3 boxes"),
    ],
)
def test_impossible_cameras_are_refused(change: dict[str, Any], people: int, says: str) -> None:
    with pytest.raises(InvalidArgument, match=says):
        check_camera(dataclasses.replace(CAMERA, **change), people)


def test_numbers_that_no_camera_has_are_told_and_not_answered_as_infinite() -> None:
    tiny = dataclasses.replace(CAMERA, fx=1e-300)
    with pytest.raises(InvalidArgument, match="real camera"):
        positions_mm(np.ones((1, 2), np.float32), np.ones(1, np.float32), tiny, 4500)
