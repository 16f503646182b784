from __future__ import annotations

import numpy as np
import pytest

from service.pipeline.answers import Person
from service.rest.drawing import draw_people
from service.vision.boxes import Box
from service.vision.layouts import LAYOUTS


@pytest.mark.parametrize("at", [(60, 40), (40_000, 40), (62_000, 60), (40, 62_000)])
def test_a_skeleton_is_drawn_where_the_joints_are_in_any_size_of_picture(at: tuple[int, int]) -> None:
    layout = LAYOUTS["pa16"]
    picture = np.zeros((at[1] + 60, at[0] + 60, 3), np.uint8)
    joints_px = np.asarray(at, np.float32) + np.random.default_rng(0).uniform(-20, 20, (16, 2)).astype(np.float32)
    box = Box(at[0] - 20, at[1] - 20, 40, 40)
    person = Person(box=box, score=1.0, keypoints_px=joints_px, scores=np.ones(16, np.float32))
    rows, columns = np.nonzero(draw_people(picture, [person], layout).any(axis=2))
    reach = 26  # of a joint's circle, too
    assert at[0] - reach <= columns.min() <= joints_px[:, 0].min()
    assert at[0] + reach >= columns.max() >= joints_px[:, 0].max()
    assert at[1] - reach <= rows.min() <= joints_px[:, 1].min()
    assert at[1] + reach >= rows.max() >= joints_px[:, 1].max()


def test_missing_joints_are_not_drawn_and_make_no_box() -> None:
    joints_px = np.full((17, 2), np.nan, np.float32)
    joints_px[5:] = np.random.default_rng(0).uniform(40, 60, (12, 2))
    scores = np.where(np.isnan(joints_px[:, 0]), 0, 1).astype(np.float32)
    person = Person(box=Box(10, 10, 80, 80), score=1.0, keypoints_px=joints_px, scores=scores)
    rows, columns = np.nonzero(draw_people(np.zeros((100, 100, 3), np.uint8), [person], LAYOUTS["coco17"]).any(axis=2))
    assert min(rows.min(), columns.min()) > 30


def test_people_of_millions_of_pixels_are_drawn() -> None:
    picture = np.zeros((1, 4_000_000, 3), np.uint8)
    joints_px = np.linspace([0, 0], [4e6, 1], 16, dtype=np.float32)
    person = Person(box=Box(0, 0, 8e6, 1), score=1.0, keypoints_px=joints_px, scores=np.ones(16, np.float32))
    assert draw_people(picture, [person], LAYOUTS["pa16"]).any()
