"""Truth and picture of a sample agree, however it is varied."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.datasets.samples import Clip, Person
from models.protocol import joints
from models.protocol.joints import PA16, PA17, PA20
from models.protocol.window import Window
from models.training import examples
from models.training.augmentation import CVPR18, TPAMI20, Variation
from models.training.losses import UNKNOWN
from tests.models.training.made_samples import InMemory

Floats = NDArray[Any]

SIZE = (300, 220)
BODY = ("pelvis", "head", "right_wrist", "left_wrist", "right_ankle", "left_ankle")
COLOURS = ((255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (255, 0, 255), (0, 255, 255))
SPOTS = np.array([(150, 110), (150, 50), (100, 90), (205, 80), (120, 180), (190, 175)], float)
variations = st.builds(
    Variation,
    angle_deg=st.sampled_from((*CVPR18["mpii"].angles_deg, 17.0)),
    scale=st.sampled_from((0.7, 1.0, 1.3)),
    shift_px=st.tuples(st.integers(-40, 40), st.integers(-40, 40)),
    mirror=st.booleans(),
    powers=st.just((0.9, 1.0, 1.1)),
)


def spotted(names: tuple[str, ...] = BODY) -> Person:
    """A picture with a spot of a colour at each joint."""
    pixels = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for (x, y), colour in zip(SPOTS, COLOURS, strict=True):
        cv2.circle(pixels, (int(x), int(y)), 7, colour, -1)
    return Person(
        key="spots",
        image_size=SIZE,
        read=lambda: pixels,
        joints=names,
        keypoints_px=SPOTS,
        visible=np.ones(len(SPOTS), bool),
        window=Window(150, 110, 180, 180),
    )


def person(name: str) -> Person:
    sample = InMemory(name, 1)[0]
    assert isinstance(sample, Person)
    return sample


def centre(picture: Floats, colour: tuple[int, ...]) -> Floats:
    """Where a colour is in a crop (3, H, W), in 0..1."""
    distance = np.abs(picture - (np.array(colour)[:, None, None] / 127.5 - 1)).sum(0)
    rows, columns = np.nonzero(distance < 0.9)
    return np.array([(columns.mean() + 0.5) / picture.shape[2], (rows.mean() + 0.5) / picture.shape[1]])


@settings(max_examples=30, deadline=None)
@given(variation=variations)
def test_the_truth_lies_where_the_picture_shows_the_joint(variation: Variation) -> None:
    example = examples.of_person(spotted(), PA16, 2, variation)
    compared = 0
    for name, colour in zip(BODY, COLOURS, strict=True):
        side, _, part = name.partition("_")
        other = {"left": f"right_{part}", "right": f"left_{part}"}.get(side, name)
        row = PA16.index(other if variation.mirror else name)  # a mirrored left hand looks like a right one
        x, y = example.poses[0, row]
        if example.visibility[0, row] != 1:
            assert (x, y) == (np.float32(UNKNOWN),) * 2
        elif min(x, y) > 0.08 and max(x, y) < 0.92:  # the whole spot is in the crop
            np.testing.assert_allclose(
                centre(example.pictures[0], colour), (x, y), atol=2 / (180 * variation.scale)
            )  # px of the picture
            compared += 1
    assert compared


@pytest.mark.parametrize("layout", [PA16, PA17, PA20])
def test_joints_that_the_data_set_lacks_are_left_out_and_others_are_hidden(layout: joints.Joints) -> None:
    example = examples.of_person(spotted(), layout, 2, Variation(shift_px=(90, 0)))
    for row, name in enumerate(layout):
        if name not in BODY:
            assert example.visibility[0, row] == -1
            assert (example.poses[0, row] == np.float32(UNKNOWN)).all()
    assert example.visibility[0, layout.index("right_wrist")] == 0  # the window left it behind
    assert example.visibility[0, layout.index("left_wrist")] == 1


def test_poses_in_the_plane_teach_a_network_of_space_no_depth() -> None:
    example = examples.of_person(person("mpii"), PA17, 3, Variation())
    assert (example.visibility[0, :16] == 1).all()
    assert example.visibility[0, 16] == -1  # MPII has no spine
    assert (example.poses[0, :16, :2] > 0).all()
    assert (example.poses[0, :, 2] == np.float32(UNKNOWN)).all()


@pytest.mark.parametrize("name", ["h36m", "ntu"])
@pytest.mark.parametrize("mirror", [False, True])
def test_depth_is_relative_to_the_root_and_shrinks_with_the_window(name: str, mirror: bool) -> None:
    def depths(scale: float) -> Floats:
        sample, variation = InMemory(name, 1)[0], Variation(scale=scale, mirror=mirror)
        if isinstance(sample, Person):
            return examples.of_person(sample, PA17, 3, variation).poses[0, :, 2]
        return examples.of_clip(sample, [3], PA17, 3, variation).poses[0, :, 2]

    plain, larger = depths(1.0), depths(1.3)
    assert plain[0] == pytest.approx(0.5)
    np.testing.assert_allclose(larger - 0.5, (plain - 0.5) / 1.3, atol=1e-6)
    right, left = (plain[PA17.index(f"{side}_wrist")] for side in ("right", "left"))
    assert (right > left) == mirror


def test_a_planar_network_learns_no_depth() -> None:
    assert examples.of_person(person("h36m"), PA16, 2, Variation()).poses.shape == (1, 16, 2)


def test_a_clip_has_one_window_and_one_variation() -> None:
    clip = InMemory("penn", 1)[0]
    assert isinstance(clip, Clip)
    example = examples.of_clip(clip, [0, 3, 6], PA16, 2, Variation(mirror=True))
    assert example.pictures.shape == (3, 3, 256, 256)
    assert (example.visibility[:, 3:] == 1).all()
    assert (example.visibility[:, :3] == -1).all()  # Penn Action has no pelvis, thorax, neck
    still = example.poses[:, PA16.index("left_hip")]
    np.testing.assert_allclose(still, np.broadcast_to(still[0], still.shape), atol=1e-6)
    assert np.ptp(example.poses[:, PA16.index("left_wrist"), 0]) > 0.01


def test_the_choices_are_those_of_the_original() -> None:
    random = np.random.default_rng(1)
    drawn = [TPAMI20["penn"].draw(random) for _ in range(400)]
    assert {v.angle_deg for v in drawn} == set(range(-30, 31, 5))
    assert {v.scale for v in drawn} == {0.7, 1.0, 1.3}
    assert {v.shift_px[0] for v in drawn} == set(range(-40, 41, 5))
    assert {v.shift_px[1] for v in drawn} == {-10, -5, 0, 5, 10}
    assert {v.subsampling for v in drawn} == {4, 6, 8}
    assert {v.mirror for v in drawn} == {False, True}
    assert {p for v in drawn for p in v.powers} == {0.9, 0.92, 0.94, 0.96, 0.98, 1.0, 1.02, 1.04, 1.06, 1.08, 1.1}
    assert {TPAMI20["ntu"].draw(random).angle_deg for _ in range(20)} == {0.0}
