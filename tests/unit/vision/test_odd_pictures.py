"""Whole pictures are decoded upright, whatever else is in the file. Refused ones get the reason."""

from __future__ import annotations

import numpy as np
import pytest

from service.errors import InvalidImage, UnsupportedMediaType
from service.vision.images import decode_image
from tests.odd_pictures import CUT, HEIGHT, WHOLE, WIDTH, OddPicture, all_of_them, expected

LIMITS = (20 * 2**20, 50_000_000)
CASES = all_of_them()
TOLERANCE = 30  # of 255: lossy formats, and bit depths whose brightest value is not their largest


@pytest.mark.parametrize("case", [case for case in CASES if case.status == WHOLE], ids=str)
def test_whole_pictures_are_read_upright(case: OddPicture) -> None:
    image = decode_image(case.data, *LIMITS)
    assert image.shape == (*case.size[::-1], 3)
    if case.size != (WIDTH, HEIGHT):
        return
    corners = image[[4, 4, -5, -5], [4, -5, 4, -5]].astype(int)
    assert np.abs(corners - expected(case)).max() <= TOLERANCE


@pytest.mark.parametrize("case", [case for case in CASES if case.status != WHOLE], ids=str)
def test_the_others_are_refused_with_the_reason(case: OddPicture) -> None:
    with pytest.raises(InvalidImage if case.status == CUT else UnsupportedMediaType) as refusal:
        decode_image(case.data, *LIMITS)
    assert case.says in str(refusal.value)
    assert len(str(refusal.value)) < 200
