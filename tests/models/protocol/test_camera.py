from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.protocol.camera import Camera, depth_to_crop, uvz_from_prediction

VECTORS = np.load(Path(__file__).parent.parent.parent / "golden" / "functions" / "camera.npz")
CAMERA = Camera(*(VECTORS[f"in_{name}"] for name in "RTfcpk"))


def test_the_21_numbers_are_those_of_the_original() -> None:
    assert (CAMERA.to_numbers() == VECTORS["out_serial"]).all()
    assert (Camera.from_numbers(VECTORS["out_serial"]).to_numbers() == VECTORS["out_serial"]).all()


@pytest.mark.parametrize(("camera", "suffix"), [(CAMERA, ""), (CAMERA.without_distortion(), "_nodist")])
def test_both_ways_are_those_of_the_original(camera: Camera, suffix: str) -> None:
    uvz = VECTORS[f"out_uvd{suffix}"]
    assert np.allclose(camera.project(VECTORS["in_world"]), uvz, rtol=0, atol=1e-9)
    assert np.allclose(camera.to_world_mm(uvz), VECTORS[f"out_world_back{suffix}"], rtol=0, atol=1e-9)


def test_predictions_in_pixels_and_mm_are_those_of_the_original() -> None:
    uvz = uvz_from_prediction(VECTORS["in_pred"], VECTORS["in_afmat"], VECTORS["in_rootz"])
    assert np.allclose(uvz, VECTORS["out_uvd_from_pred"], rtol=0, atol=1e-9)


def test_the_inverse_with_distortion_is_a_tenth_of_a_millimetre_off() -> None:
    error = np.abs(CAMERA.to_world_mm(CAMERA.project(VECTORS["in_world"])) - VECTORS["in_world"]).max()
    assert 0.01 < error < 0.15


directions = arrays(np.float64, (3, 3), elements=st.floats(-1, 1)).map(lambda m: np.linalg.qr(m + 3 * np.eye(3)).Q)
places = arrays(np.float64, 3, elements=st.floats(-5000, 5000))
in_front = arrays(np.float64, (2, 4, 3), elements=st.floats(-1, 1)).map(lambda p: p * [2000, 2000, 1000] + [0, 0, 4000])


@given(directions, places, st.floats(500, 2000), in_front)
def test_projection_without_distortion_comes_back(
    rotation: np.ndarray, place: np.ndarray, focal: float, camera_mm: np.ndarray
) -> None:
    camera = Camera(rotation, place, np.array([focal, focal + 2]), np.array([512, 515]), np.zeros(2), np.zeros(3))
    world_mm = camera_mm @ rotation + place
    uvz = camera.project(world_mm)
    assert np.allclose(camera.to_camera_mm(uvz), camera_mm, rtol=0, atol=1e-7)
    assert np.allclose(camera.to_world_mm(uvz), world_mm, rtol=0, atol=1e-7)


def test_a_point_on_the_axis_is_seen_in_the_centre() -> None:
    world_mm = CAMERA.position_mm + 3000 * CAMERA.rotation[2]
    assert CAMERA.project(world_mm) == pytest.approx([*CAMERA.centre_px, 3000])


@given(arrays(np.float64, (2, 17, 3), elements=st.floats(0, 1)), arrays(np.float64, 2, elements=st.floats(2000, 8000)))
def test_depth_comes_back(prediction: np.ndarray, root_z_mm: np.ndarray) -> None:
    uvz = uvz_from_prediction(prediction, np.stack([np.eye(3)] * 2), root_z_mm)
    assert np.allclose(depth_to_crop(uvz[..., 2], root_z_mm), prediction[..., 2], rtol=0, atol=1e-11)
    assert np.allclose(uvz[..., :2], prediction[..., :2], rtol=0, atol=1e-12)


def test_a_camera_is_21_numbers() -> None:
    with pytest.raises(ValueError, match="21"):
        Camera.from_numbers(np.zeros(20))
