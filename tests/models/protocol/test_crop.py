from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from models.protocol.crop import CropPlan, cut, inside_crop, map_points, plan_crop, to_image_px, to_network_range
from models.protocol.window import Window
from tests.golden.functions.images import golden_image

GOLDEN = Path(__file__).parent.parent.parent / "golden" / "functions"
CASES = json.loads((GOLDEN / "crop.json").read_text())["cases"]
VECTORS = np.load(GOLDEN / "crop.npz")
IMAGE_SIZE = (120, 90)
every_case = pytest.mark.parametrize(("number", "case"), list(enumerate(CASES)))


def plan_of(case: dict[str, Any]) -> CropPlan:
    window = Window(*case["center"], *case["win"])
    return plan_crop(IMAGE_SIZE, window, tuple(case["size"]), mirror=bool(case["hflip"]), angle_deg=case["angle"])


@every_case
def test_pixels_are_those_of_the_original_byte_for_byte(number: int, case: dict[str, Any]) -> None:
    pixels = cut(golden_image("functions/crop_image", *IMAGE_SIZE), plan_of(case))
    assert pixels.dtype == np.uint8
    assert (pixels == VECTORS[f"out_pixels_{number}"]).all()


@every_case
def test_affine_maps_and_points_are_those_of_the_original(number: int, case: dict[str, Any]) -> None:
    affine = plan_of(case).affine
    assert np.allclose(affine, VECTORS[f"out_afmat_{number}"], rtol=0, atol=1e-13)
    assert np.allclose(map_points(affine, VECTORS["in_points"]), VECTORS[f"out_points_{number}"], rtol=0, atol=1e-13)


@pytest.mark.parametrize("number", [0, 8])
def test_colours_are_those_of_the_original(number: int) -> None:
    frame = to_network_range(VECTORS[f"out_pixels_{number}"], CASES[number]["power"])
    assert frame.dtype == np.float32
    assert np.allclose(frame[::2, ::2], VECTORS[f"out_frame_{number}"], rtol=0, atol=2e-7)  # one float32 step at 1


windows = st.builds(Window, st.floats(-300, 300), st.floats(-300, 300), st.floats(32, 400), st.floats(32, 400))
points = arrays(np.float64, (5, 2), elements=st.floats(-1000, 1000))


@given(windows, st.booleans(), st.sampled_from([0.0, -40.0, 15.0, 90.0]), points)
def test_points_come_back_from_the_crop(window: Window, mirror: bool, angle: float, points_px: np.ndarray) -> None:
    affine = plan_crop((200, 100), window, mirror=mirror, angle_deg=angle).affine
    assert np.allclose(to_image_px(affine, map_points(affine, points_px)), points_px, rtol=0, atol=1e-8)


@given(windows, st.booleans())
def test_the_map_takes_the_cut_corners_to_0_and_1(window: Window, mirror: bool) -> None:
    plan = plan_crop((200, 100), window, mirror=mirror)
    left, top, right, bottom = plan.corners
    ends = map_points(plan.affine, [(left, top), (right, bottom)])
    assert np.allclose(ends, [(mirror, 0), (not mirror, 1)], rtol=0, atol=1e-12)
    for whole, asked in zip(plan.corners, window.corners, strict=True):
        assert abs(whole) <= abs(asked) < abs(whole) + 1  # cut toward zero


@given(windows, st.integers(0, 2**32 - 1))
def test_a_mirrored_crop_mirrored_is_the_plain_one(window: Window, seed: int) -> None:
    image = np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)
    plain, mirrored = (plan_crop((40, 30), window, (16, 16), mirror=mirror) for mirror in (False, True))
    assert (cut(image, mirrored)[:, ::-1] == cut(image, plain)).all()
    middle = [(3.0, 4.0)]
    assert map_points(mirrored.affine, middle)[0, 0] == pytest.approx(1 - map_points(plain.affine, middle)[0, 0])


@given(windows)
def test_outside_of_the_image_is_black(window: Window) -> None:
    plan = plan_crop((40, 30), window, (16, 16))
    left, top, right, bottom = plan.corners
    assume(right <= 0 or bottom <= 0 or left >= 40 or top >= 30)
    assert cut(np.full((30, 40, 3), 255, np.uint8), plan).max() == 0
    assert to_network_range(np.zeros((1, 1, 3), np.uint8)).tolist() == [[[-1, -1, -1]]]


def test_a_batch_of_maps_goes_with_a_batch_of_points() -> None:
    maps = np.stack([plan_of(case).affine for case in CASES])
    many = np.broadcast_to(VECTORS["in_points"], (len(CASES), 4, 2))
    one_by_one = np.stack([map_points(affine, VECTORS["in_points"]) for affine in maps])
    assert np.allclose(map_points(maps, many), one_by_one, rtol=0, atol=1e-13)


def test_only_what_lies_within_the_crop_is_visible() -> None:
    assert inside_crop([(0.5, 0.5), (0, 0.5), (0.5, 1), (-0.1, 0.5), (np.nan, np.nan)]).tolist() == [True] + [False] * 4


def test_a_window_without_a_pixel_is_refused() -> None:
    with pytest.raises(ValueError, match="at_least_smallest"):
        plan_crop((40, 30), Window(10.2, 10.2, 0.3, 5))
    assert plan_crop((40, 30), Window(10.2, 10.2, 0.3, 5).at_least_smallest()).corners == (-5, -5, 26, 26)
