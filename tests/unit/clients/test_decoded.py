"""Pictures that are decoded to be drawn into are as the service sees them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
from deephar.decoded import NotDecoded, decoded
from deephar.results import Size

from tests import odd_pictures

SIZE = Size(odd_pictures.WIDTH, odd_pictures.HEIGHT)
UPRIGHT: Any = np.asarray(odd_pictures.picture())
AVIFS = [each for each in odd_pictures.others() if each.name in {f"avif-{number}" for number in range(1, 9)}]


@pytest.mark.parametrize("avif", AVIFS, ids=lambda each: each.name)
def test_an_avif_is_turned_upright(avif: odd_pictures.OddPicture) -> None:
    assert cv2.PSNR(decoded(avif.data, SIZE), UPRIGHT) > 30


def test_a_jpeg() -> None:
    _, jpeg = cv2.imencode(".jpg", UPRIGHT[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 100])
    assert cv2.PSNR(decoded(jpeg.tobytes(), SIZE), UPRIGHT) > 25


def test_what_cannot_be_read_here_says_what_to_do() -> None:
    for content in (odd_pictures.HEIC, b"no picture at all", odd_pictures.HEIC[:100]):
        with pytest.raises(NotDecoded, match="converted to JPEG"):
            decoded(content, SIZE)
