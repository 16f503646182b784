"""JPEGs have Pillow's pixels, whichever library decodes them; where pixels are missing they are refused."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image as Pillow

from service.errors import InvalidImage
from service.vision.crops import CropWindow
from service.vision.images import OpenPicture, decode_image, open_picture
from service.vision.jpeg_segments import segments
from service.vision.picture import factor_for
from tests.conftest import SAMPLES
from tests.picture_files import file
from tests.pictures import many_scans

LIMITS = (20 * 2**20, 50_000_000)
PERSON = (SAMPLES / "person.jpg").read_bytes()
END = b"\xff\xd9"
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


LAST_PIXEL = len(PERSON) - 1 - len(END)


@given(
    st.lists(st.tuples(st.integers(FIRST_SCAN, LAST_PIXEL), st.integers(0, 255)), min_size=1, max_size=4),
    st.booleans(),
)
def test_damaged_pictures_are_refused_or_have_pillows_pixels(changes: list[tuple[int, int]], cut: bool) -> None:
    data = bytearray(PERSON)
    for at, value in changes:
        data[at] = value
    if cut:
        del data[changes[0][0] :]
    try:
        found = decode_image(bytes(data), *LIMITS)
    except InvalidImage:
        return
    assert np.array_equal(found, by_pillow(bytes(data + END)))


def jpeg(mode: str, **options: Any) -> bytes:
    return file(Pillow.open(io.BytesIO(PERSON)).convert(mode), "JPEG", quality=85, **options)


WHOLE = [jpeg(mode, progressive=progressive) for mode in ("RGB", "L", "CMYK") for progressive in (False, True)]
every_kind = pytest.mark.parametrize("whole", WHOLE, ids=lambda data: str(len(data)))


@every_kind
def test_cut_pixels_are_refused_also_where_an_end_marker_follows(whole: bytes) -> None:
    for cut in (whole[: len(whole) // 2], whole[: len(whole) // 2] + END):
        with pytest.raises(InvalidImage, match="truncated or damaged"):
            decode_image(cut, *LIMITS)


@every_kind
def test_a_missing_end_marker_refuses_nothing(whole: bytes) -> None:
    assert np.array_equal(decode_image(whole.removesuffix(END), *LIMITS), by_pillow(whole))


@every_kind
def test_bytes_after_the_end_are_no_scans(whole: bytes) -> None:
    """Phones put a short video behind a picture."""
    assert np.array_equal(decode_image(whole + b"\xff\xda" * 500, *LIMITS), by_pillow(whole))


def test_a_few_bytes_between_pixels_and_end_refuse_nothing() -> None:
    padded = PERSON.removesuffix(END) + bytes(20) + END
    assert np.array_equal(decode_image(padded, *LIMITS), by_pillow(PERSON))


def test_pixels_that_are_missing_in_the_middle_are_refused() -> None:
    whole = jpeg("RGB", restart_marker_rows=1)
    restarts = [i for i in range(len(whole) - 1) if whole[i] == 0xFF and 0xD0 <= whole[i + 1] <= 0xD7]
    with pytest.raises(InvalidImage, match="truncated or damaged"):
        decode_image(whole[: restarts[3]] + whole[restarts[4] :], *LIMITS)


def test_scans_behind_a_marker_of_no_segment_are_counted() -> None:
    scans = many_scans(64, 300)
    first = scans.index(b"\xff\xda")
    second = scans.index(b"\xff\xda", first + 2)
    with pytest.raises(InvalidImage, match="scans"):
        decode_image(scans[:second] + b"\xff\x01" + scans[second:], *LIMITS)


def test_segments_are_bounded() -> None:
    for filler in (b"\xff" * 2**20, b"\xff\xfe\0\2" * 2**18, b"\xff\x01" * 2**19):
        assert len(list(segments(PERSON[:2] + filler + PERSON[2:]))) <= 5000


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("factor", [2, 4, 8])
@pytest.mark.parametrize(("width", "height"), [(1003, 811), (1000, 800), (1004, 812)])
def test_a_picture_decoded_to_fewer_pixels_gives_the_same_crops(
    factor: int, orientation: int, width: int, height: int
) -> None:
    """Of smooth content, as far as rounding and JPEG's blocks go: places stay where they are, to a tenth of a pixel."""
    y, x = np.mgrid[0:height, 0:width]
    smooth = np.stack([x / 4, y / 4, 128 + 100 * np.sin(x / 90) * np.cos(y / 70)], axis=2).astype(np.uint8)
    exif = Pillow.Exif()
    exif[0x0112] = orientation
    data = file(Pillow.fromarray(smooth), "JPEG", quality=98, subsampling=0, exif=exif.tobytes())
    full, fewer = (opened(data).decode(f) for f in (1, factor))
    assert (full.width, full.height, full.factor) == (fewer.width, fewer.height, 1)
    if orientation == 1 or not (width % factor or height % factor):
        assert fewer.factor == factor
        assert fewer.pixels.shape[1] == -(-full.width // factor)
    for window in (CropWindow(31.3, 60.6, 700.0), CropWindow(-50.0, -20.0, 800.0)):
        difference = full.crop(window, 64).astype(float) - fewer.crop(window, 64)
        inside = difference[8:-1, 8:-1]
        assert abs(inside.mean()) < 1
        assert np.percentile(np.abs(inside), 99) < 4


def opened(data: bytes) -> OpenPicture:
    return open_picture(data, *LIMITS)


def test_crops_that_need_few_pixels_are_decoded_from_few() -> None:
    assert factor_for([CropWindow(0, 0, 192)], 192) == 1
    assert factor_for([CropWindow(0, 0, 300), CropWindow(0, 0, 3000)], 192) == 2
    assert factor_for([CropWindow(0, 0, 3000)], 192) == 8
    assert factor_for([], 192) == 1


def test_fewer_pixels_do_not_hide_damage() -> None:
    with pytest.raises(InvalidImage):
        opened(PERSON[: len(PERSON) // 2]).decode(4)
