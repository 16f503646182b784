from __future__ import annotations

import numpy as np
import pytest
from deephar.drawing import Drawn, Image, draw_people

JOINTS = ("head", "right_shoulder", "left_shoulder", "pelvis")
EDGES = ((0, 1), (0, 2), (1, 3), (2, 3))
CAPTION = "3 jumping_jacks 0.87"


def _person(x: float, y: float, size: float, label: str = "") -> Drawn:
    points = np.array([[0.5, 0.0], [0.0, 0.4], [1.0, 0.4], [0.5, 1.0]]) * size + [x, y]
    return Drawn(points, np.ones(4), (x, y, size, size), label)


def _changed(before: Image, after: Image) -> tuple[int, int, int, int]:
    """Returns left, top, right and bottom of what differs."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    return int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max())


@pytest.mark.parametrize("at", [(60, 40), (40_000, 40), (62_000, 60), (40, 62_000)])
def test_a_skeleton_is_drawn_where_the_joints_are_in_any_size_of_picture(at: tuple[int, int]) -> None:
    picture = np.zeros((at[1] + 60, at[0] + 60, 3), np.uint8)
    left, top, right, bottom = _changed(picture, draw_people(picture, [_person(*at, 40)], JOINTS, EDGES))
    reach = 6  # of a joint's circle
    assert at[0] - reach <= left <= at[0]
    assert at[1] - reach <= top <= at[1]
    assert at[0] + 40 <= right <= at[0] + 40 + reach
    assert at[1] + 40 <= bottom <= at[1] + 40 + reach


def test_people_of_millions_of_pixels_are_drawn_with_their_captions() -> None:
    picture = np.zeros((1, 4_000_000, 3), np.uint8)
    person = Drawn(np.linspace([0, 0], [4e6, 1], 4), np.ones(4), (0, 0, 8e6, 1), CAPTION)
    assert draw_people(picture, [person], JOINTS, EDGES).any()


def test_the_picture_itself_stays_as_it_was() -> None:
    picture = np.zeros((80, 80, 3), np.uint8)
    draw_people(picture, [_person(20, 20, 40, CAPTION)], JOINTS, EDGES)
    assert not picture.any()


def test_joints_that_the_model_lacks_are_left_out_with_their_bones() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    whole = _person(50, 50, 100)
    points, scores = whole.points_px.copy(), np.array([1.0, 1.0, 1.0, 0.0])
    points[3] = np.nan
    without = draw_people(picture, [Drawn(points, scores, whole.box)], JOINTS, EDGES)
    assert _changed(picture, without)[3] < 100  # the pelvis would stand at 150
    points[3], scores[3] = [100, 150], 1.0
    points[0] = np.nan  # whatever its score is
    assert _changed(picture, draw_people(picture, [Drawn(points, np.ones(4), whole.box)], JOINTS, EDGES))[1] > 80


def test_a_person_with_few_joints_has_a_box_and_one_without_any_is_drawn_too() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    nobody = Drawn(np.full((4, 2), np.nan), np.zeros(4), (50, 60, 70, 80), CAPTION)
    drawn = draw_people(picture, [nobody], JOINTS, EDGES)
    assert drawn[61:139, 50].any(axis=1).all()
    assert drawn[140, 51:119].any(axis=1).all()


@pytest.mark.parametrize("grey", [0, 128, 255])
def test_a_caption_can_be_read_on_any_background(grey: int) -> None:
    picture = np.full((480, 640, 3), grey, np.uint8)
    bare = draw_people(picture, [_person(270, 200, 200)], JOINTS, EDGES)
    drawn = draw_people(picture, [_person(270, 200, 200, CAPTION)], JOINTS, EDGES)
    left, top, right, bottom = _changed(bare, drawn)
    plate = drawn[top : bottom + 1, left : right + 1].astype(int)
    assert np.median(plate) < 100  # dark
    assert (plate.min(axis=2) > 230).mean() > 0.04  # with white letters


@pytest.mark.parametrize("x", [-60, 0, 250, 540, 630])
@pytest.mark.parametrize("y", [-90, 0, 200, 380, 470])
def test_a_caption_is_whole_inside_of_the_picture_wherever_the_person_is(x: int, y: int) -> None:
    picture = np.full((480, 640, 3), 255, np.uint8)
    size = _plate_of(picture, _person(250, 200, 100, CAPTION))
    assert size == pytest.approx(_plate_of(picture, _person(x, y, 100, CAPTION)), abs=1)


def _plate_of(picture: Image, person: Drawn) -> tuple[int, int]:
    """Returns width and height of what a caption adds."""
    bare = draw_people(picture, [Drawn(person.points_px, person.scores, person.box)], JOINTS, EDGES)
    left, top, right, bottom = _changed(bare, draw_people(picture, [person], JOINTS, EDGES))
    return right - left, bottom - top


def test_captions_grow_with_the_person_and_the_picture() -> None:
    small, large = np.zeros((480, 640, 3), np.uint8), np.zeros((1080, 1920, 3), np.uint8)
    child, adult = _person(200, 100, 200, CAPTION), _person(200, 100, 320, CAPTION)
    assert _plate_of(small, child)[1] < _plate_of(small, adult)[1]
    near = _person(200, 100, 2000, CAPTION)
    assert _plate_of(small, near)[1] < 480 / 10
    assert _plate_of(small, near)[1] < _plate_of(large, near)[1]


def test_captions_of_neighbours_do_not_cover_each_other() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    one, other = _person(200, 200, 100, "1 bowl 0.90"), _person(210, 200, 100, "2 squat 0.80")
    assert _white(draw_people(picture, [one, other], JOINTS, EDGES)) > 1.5 * _white(
        draw_people(picture, [Drawn(one.points_px, one.scores, one.box), other], JOINTS, EDGES)
    )


def _white(image: Image) -> int:
    return int((image.min(axis=2) > 245).sum())


@pytest.mark.parametrize("shape", [(1, 1), (2, 300), (300, 2), (20, 30)])
def test_tiny_pictures_take_captions(shape: tuple[int, int]) -> None:
    picture = np.zeros((*shape, 3), np.uint8)
    assert draw_people(picture, [_person(0, 0, 15, CAPTION)], JOINTS, EDGES).shape == picture.shape


def test_labels_of_other_scripts_are_drawn() -> None:
    picture = np.zeros((480, 640, 3), np.uint8)
    width, height = _plate_of(picture, _person(200, 200, 200, "1 Kniebeugen für Ältere 0.90"))
    assert width > height > 10
