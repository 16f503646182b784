"""JPEGs have Pillow's pixels and Pillow's verdict, whichever library decodes them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from service.errors import InvalidImage
from service.vision.images import decode_image
from tests.conftest import SAMPLES

LIMITS = (20 * 2**20, 50_000_000)
PERSON = (SAMPLES / "person.jpg").read_bytes()
FIRST_SCAN = PERSON.index(b"\xff\xda")


def by_pillow(jpeg: bytes) -> NDArray[np.uint8]:
    return np.asarray(Pillow.open(io.BytesIO(jpeg)).convert("RGB"))


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_of_whole_pictures(mode: str, subsampling: int, progressive: bool) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (123, 157, 3), np.uint8)
    buffer = io.BytesIO()
    Pillow.fromarray(noise).convert(mode).save(buffer, "JPEG", subsampling=subsampling, progressive=progressive)
    assert np.array_equal(decode_image(buffer.getvalue(), *LIMITS), by_pillow(buffer.getvalue()))


@given(
    st.lists(st.tuples(st.integers(FIRST_SCAN, len(PERSON) - 1), st.integers(0, 255)), min_size=1, max_size=4),
    st.booleans(),
)
def test_of_damaged_pictures(changes: list[tuple[int, int]], cut: bool) -> None:
    data = bytearray(PERSON)
    for at, value in changes:
        data[at] = value
    if cut:
        del data[changes[0][0] :]
    try:
        expected = by_pillow(bytes(data))
    except Exception:  # of many kinds
        with pytest.raises(InvalidImage):
            decode_image(bytes(data), *LIMITS)
    else:
        assert np.array_equal(decode_image(bytes(data), *LIMITS), expected)
