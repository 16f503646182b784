from __future__ import annotations

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image as Pillow

from service.errors import DeepharError, InvalidArgument, InvalidImage, PayloadTooLarge, UnsupportedMediaType
from service.vision.images import decode_image, encode_image
from tests.pictures import encoded, huge_png, many_scans

LIMITS = (20 * 2**20, 50_000_000)


def test_a_jpeg_of_hundreds_of_scans_is_refused() -> None:
    assert decode_image(many_scans(64, 90), *LIMITS).shape == (64, 64, 3)
    with pytest.raises(InvalidImage, match="scans"):
        decode_image(many_scans(64, 400), *LIMITS)


def test_a_picture_that_is_too_long_for_a_jpeg() -> None:
    long = np.zeros((2, 70_000, 3), np.uint8)
    with pytest.raises(InvalidArgument, match="image/png"):
        encode_image(long, "image/jpeg")
    assert decode_image(encode_image(long, "image/png"), *LIMITS).shape == (2, 70_000, 3)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_a_picture_that_is_too_long_to_be_written_at_all(media_type: str) -> None:
    with pytest.raises(InvalidArgument, match="application/json"):
        encode_image(np.zeros((1, 1_000_001, 3), np.uint8), media_type)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
def test_supported_kinds_are_read_as_rgb(kind: str) -> None:
    image = decode_image(encoded(kind), *LIMITS)
    assert image.shape == (30, 40, 3)
    assert image.dtype == np.uint8
    assert image[15, 20].tolist() == pytest.approx([200, 50, 25], abs=6)


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    buffer = io.BytesIO()
    picture = Pillow.new(mode, (20, 10), 1) if mode in {"1", "P"} else Pillow.new(mode, (20, 10))
    picture.save(buffer, "TIFF" if mode == "CMYK" else "PNG") if mode != "CMYK" else picture.save(buffer, "JPEG")
    assert decode_image(buffer.getvalue(), *LIMITS).shape == (10, 20, 3)


def test_sixteen_bits_are_scaled_not_cut() -> None:
    buffer = io.BytesIO()
    Pillow.fromarray(np.full((10, 10), 32768, np.uint16)).save(buffer, "PNG")
    assert decode_image(buffer.getvalue(), *LIMITS).mean() == pytest.approx(128, abs=1)


def test_exif_orientation_is_honoured() -> None:
    exif = Pillow.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    assert decode_image(encoded("JPEG", (40, 30), exif=exif), *LIMITS).shape == (40, 30, 3)


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", InvalidImage),
        (b"hello, I am a text named photo.jpg", InvalidImage),
        (b"\xff\xd8\xff\xe0 no more", InvalidImage),
        (encoded("JPEG", (400, 300))[:2000], InvalidImage),
        (encoded("PNG", (400, 300))[:200], InvalidImage),
        (encoded("GIF"), UnsupportedMediaType),
        (encoded("TIFF"), UnsupportedMediaType),
        (b"\x00\x00\x00\x20ftypisom" + bytes(100), UnsupportedMediaType),
        (huge_png(20_000), PayloadTooLarge),
    ],
)
def test_bad_pictures_get_the_right_error(data: bytes, error: type[DeepharError]) -> None:
    with pytest.raises(error) as caught:
        decode_image(data, *LIMITS)
    assert len(str(caught.value)) > 20


def test_an_avif_of_which_only_the_beginning_is_right() -> None:
    avif = encoded("AVIF", (400, 300))
    for broken in (avif.replace(b"pitm", b"abcd"), avif.replace(b"iloc", b"abcd"), avif.replace(b"av01", b"abcd")):
        with pytest.raises(InvalidImage, match="send a whole"):
            decode_image(broken, *LIMITS)


def test_animations_are_refused() -> None:
    frames = [Pillow.new("RGB", (20, 20), (i, 0, 0)) for i in (10, 200)]
    buffer = io.BytesIO()
    frames[0].save(buffer, "WEBP", save_all=True, append_images=frames[1:])
    with pytest.raises(UnsupportedMediaType, match="animated"):
        decode_image(buffer.getvalue(), *LIMITS)


def test_too_many_bytes() -> None:
    with pytest.raises(PayloadTooLarge):
        decode_image(encoded("BMP"), 100, 10**6)


@settings(max_examples=200)
@given(
    st.binary(max_size=300), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF", b"BM", b"GIF89a"])
)
def test_arbitrary_bytes_raise_only_our_errors(tail: bytes, head: bytes) -> None:
    with contextlib.suppress(DeepharError):
        decode_image(head + tail, *LIMITS)


@given(st.integers(20, 600), st.integers(0, 255))
@settings(max_examples=60)
def test_damaged_jpegs_raise_only_our_errors(position: int, value: int) -> None:
    data = bytearray(encoded("JPEG", (64, 64)))
    data[position % len(data)] = value
    with contextlib.suppress(DeepharError):
        decode_image(bytes(data), *LIMITS)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_pictures_are_written_in_the_kind_asked_for(media_type: str) -> None:
    data = encode_image(np.full((20, 30, 3), (200, 50, 25), np.uint8), media_type)
    with Pillow.open(io.BytesIO(data)) as picture:
        assert Pillow.MIME[picture.format or ""] == media_type
        assert picture.convert("RGB").getpixel((5, 5)) == pytest.approx((200, 50, 25), abs=6)
