from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.video.picture_change import Change, PictureChange
from service.vision.images import decode_image, encode_image
from tests.conftest import SAMPLES

PERSON = decode_image((SAMPLES / "person.jpg").read_bytes(), 10**7, 10**7)
PEOPLE = cv2.resize(decode_image((SAMPLES / "people.jpg").read_bytes(), 10**7, 10**7), (640, 480))


def change(before: NDArray[np.uint8], after: NDArray[np.uint8]) -> Change:
    watched = PictureChange()
    assert watched.since_last(before) is Change.MOVED
    return watched.since_last(after)


def compressed(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return decode_image(encode_image(image, "image/jpeg"), 10**7, 10**7)


def test_the_same_picture_again_is_repeated_also_when_compressed() -> None:
    assert change(PERSON, PERSON) is Change.REPEATED
    assert change(PERSON, compressed(PERSON)) is Change.REPEATED


@pytest.mark.parametrize("size", [(24, 24), (12, 40)])
def test_a_small_movement_is_none_of_both(size: tuple[int, int]) -> None:
    moved = PERSON.copy()
    moved[200 : 200 + size[0], 300 : 300 + size[1]] = moved[210 : 210 + size[0], 330 : 330 + size[1]]
    assert change(PERSON, moved) is Change.MOVED


def test_another_scene_is_a_cut_and_other_light_or_a_turned_camera_is_none() -> None:
    assert change(PERSON, PEOPLE) is Change.CUT
    assert change(PEOPLE, PERSON) is Change.CUT
    assert change(PERSON, (PERSON * 0.5).astype(np.uint8)) is Change.MOVED
    assert change(PEOPLE, np.roll(PEOPLE, 40, axis=1)) is Change.MOVED
