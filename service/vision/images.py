"""Decoding and encoding of pictures. Sizes are checked before anything is decoded."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import Protocol

import cv2
import numpy as np
import pi_heif
import simplejpeg
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from service.errors import DeepharError, InvalidArgument, InvalidImage, PayloadTooLarge, UnsupportedMediaType
from service.vision.bare_files import ANIMATED, BareFile, bare
from service.vision.crops import Image
from service.vision.exif import orientation_of
from service.vision.file_kinds import READ, is_heic, is_picture, other_kind
from service.vision.jpeg_segments import scans_of
from service.vision.picture import Picture
from service.vision.png_rows import lacks_rows

_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "AVIF")
_STRIP_PIXELS = 2**20
MOST_SCANS = 100  # a progressive JPEG has about ten, and each goes over all of its pixels
_DAMAGED = "the picture is truncated or damaged; send the whole file"
# libjpeg-turbo's warnings: a file without its end marker; damage of pixels; bytes that belong to nothing
_END, _NO_END = b"\xff\xd9", "Premature end of JPEG file"
_CORRUPT = re.compile("premature end of data segment|bad Huffman code|bad arithmetic code|instead of RST")
_SKIPPED, _MOST_SKIPPED = re.compile(r"(\d+) extraneous bytes before marker"), 256
_LONGEST = {"JPEG": 65_500, "PNG": 1_000_000}  # pixels a side, of libjpeg and libpng
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/heic", "image/heif", "image/avif")

Pillow.MAX_IMAGE_PIXELS = None  # the limit is checked here, with an error that says so


class OpenPicture(Protocol):
    """A picture of known size, not decoded yet."""

    width: int
    height: int

    def decode(self, factor: int = 1) -> Picture:
        """Returns the picture upright by the EXIF orientation.

        Args:
            factor: 2, 4 or 8: a JPEG is decoded to so many fewer pixels on each side.

        Raises:
            InvalidImage: The data are truncated or damaged.
        """

    def close(self) -> None:
        """Releases the file."""


class _PillowPicture:
    def __init__(self, picture: Pillow.Image, file: bytes, orientation: int) -> None:
        self._picture, self._file, self._orientation = picture, file, orientation
        self.width, self.height = picture.size

    def decode(self, factor: int = 1) -> Picture:  # noqa: ARG002 - of JPEGs
        if self._picture.format == "PNG" and lacks_rows(self._file):
            raise InvalidImage(_DAMAGED)
        with _as_damage(InvalidImage(_DAMAGED)):
            return Picture.of(_upright(_rgb(self._picture), self._orientation))

    def close(self) -> None:
        self._picture.close()


class _Jpeg:
    """A JPEG. libjpeg-turbo gives Pillow's pixels in two thirds of its time and half of its memory.

    Its warnings, which Pillow ignores, tell cut or corrupt pixels from harmless damage: stray bytes between segments, a
    missing end marker.
    """

    def __init__(self, file: BareFile, width: int, height: int, colours: str) -> None:
        self._file, self.width, self.height = file, width, height
        self._mode = "CMYK" if colours in ("CMYK", "YCCK") else "RGB"

    def decode(self, factor: int = 1) -> Picture:
        data = self._file.data
        # The last pixels stand for fewer of the file where the factor does not divide it; mirrored they would be first.
        while self._file.orientation != 1 and (self.width % factor or self.height % factor):
            factor //= 2
        options = self._mode, self.height // factor, self.width // factor, factor
        pixels, warning = _with_warning(data, *options)
        if warning == _NO_END:
            data += _END
            pixels, warning = _with_warning(data, *options)
        if _tells_of_damage(warning):
            raise InvalidImage(_DAMAGED)
        if pixels is None or self._mode == "CMYK":
            with closing(_opened_by_pillow(self._file._replace(data=data))) as picture:
                return picture.decode()
        upright = _upright(pixels, self._file.orientation)
        if factor == 1 or pixels.shape[:2] == (self.height, self.width):
            return Picture.of(upright)
        is_turned = self._file.orientation in (5, 6, 7, 8)
        width, height = (self.height, self.width) if is_turned else (self.width, self.height)
        return Picture(upright, width, height, factor)

    def close(self) -> None:
        pass


def _with_warning(jpeg: bytes, mode: str, height: int, width: int, factor: int) -> tuple[Image | None, str]:
    """Returns the pixels, or None and what libjpeg-turbo says of them."""
    try:
        return simplejpeg.decode_jpeg(jpeg, mode, min_height=height, min_width=width, min_factor=factor), ""
    except ValueError as error:
        return None, str(error)


def _tells_of_damage(warning: str) -> bool:
    skipped = _SKIPPED.search(warning)
    return bool(_CORRUPT.search(warning)) or (skipped is not None and int(skipped[1]) > _MOST_SKIPPED)


class _Heic:
    """A HEIC, as phones make it. libheif turns it upright by the file's own transformations, which hold over EXIF."""

    def __init__(self, data: bytes) -> None:
        self._file = pi_heif.open_heif(data)
        self.width, self.height = self._file.size

    def decode(self, factor: int = 1) -> Picture:  # noqa: ARG002 - of JPEGs
        with _as_damage(InvalidImage(_DAMAGED)):
            return Picture.of(_rgb(self._file.to_pillow()))

    def close(self) -> None:
        pass


@contextmanager
def _as_damage(damage: InvalidImage) -> Iterator[None]:
    """Raises `damage` for any error of a decoder: they raise many kinds."""
    try:
        yield
    except (DeepharError, MemoryError):
        raise
    except Exception as error:
        raise damage from error


def open_picture(data: bytes, max_bytes: int, max_pixels: int) -> OpenPicture:
    """Reads the header of a picture.

    Args:
        data: The encoded picture.
        max_bytes: Largest file.
        max_pixels: Largest picture.

    Raises:
        InvalidImage: The bytes are no picture.
        UnsupportedMediaType: They are of a format that is not read here.
        PayloadTooLarge: They are over a limit.
    """
    if not data:
        raise InvalidImage(f"the picture is empty (0 bytes); send a {READ} file")
    check_encoded(data, max_bytes)
    picture = _opened(data)
    if picture.width * picture.height > max_pixels:
        picture.close()
        raise PayloadTooLarge(
            f"the picture has {picture.width} x {picture.height} pixels; at most {max_pixels} are taken: shrink it"
        )
    return picture


def check_encoded(data: bytes, max_bytes: int) -> None:
    """Raises `PayloadTooLarge` where an encoded picture is over the limit."""
    if len(data) > max_bytes:
        raise PayloadTooLarge(f"the picture has {len(data)} bytes; at most {max_bytes} are taken: shrink it")


def _opened(data: bytes) -> OpenPicture:
    kind = other_kind(data)
    if kind is not None:
        raise UnsupportedMediaType(f"this is {kind}; send a {READ} file")
    if is_heic(data):
        return _opened_heic(data)
    file = bare(data)
    if file.data.startswith(b"\xff\xd8") and len(list(islice(scans_of(file.data), MOST_SCANS + 1))) > MOST_SCANS:
        raise InvalidImage(f"the JPEG has more than {MOST_SCANS} scans; save it again")
    return _jpeg(file) or _opened_by_pillow(file)


def _opened_heic(data: bytes) -> _Heic:
    with _as_damage(InvalidImage(f"the HEIC is damaged or of a rare kind; send the whole file, or a {READ} file")):
        return _Heic(data)


def _jpeg(file: BareFile) -> _Jpeg | None:
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(file.data)
    except ValueError:
        return None
    return _Jpeg(file, width, height, colours)


def _opened_by_pillow(file: BareFile) -> _PillowPicture:
    with _as_damage(InvalidImage(f"the picture's header is damaged, or of a rare kind; send a whole {READ} file")):
        try:
            picture = Pillow.open(io.BytesIO(file.data), formats=_FORMATS)
        except UnidentifiedImageError:
            if is_picture(file.data):
                raise
            raise InvalidImage(f"the bytes are not a picture; send a {READ} file") from None
    if getattr(picture, "n_frames", 1) > 1:
        picture.close()
        raise UnsupportedMediaType(ANIMATED)
    orientation = orientation_of(picture.info.get("exif", b"")) if picture.format == "AVIF" else file.orientation
    return _PillowPicture(picture, file.data, orientation)


def decode_image(data: bytes, max_bytes: int, max_pixels: int) -> Image:
    """Returns the pixels (H, W, 3) of an encoded picture in RGB, upright. Raises as `open_picture` and `decode`."""
    picture = open_picture(data, max_bytes, max_pixels)
    try:
        return picture.decode().pixels
    finally:
        picture.close()


def _rgb(picture: Pillow.Image) -> Image:
    """Returns the pixels in RGB. A large picture is converted in strips: in one go Pillow would hold it three times."""
    picture.load()
    bits = _bits(picture)
    rows = max(1, _STRIP_PIXELS // picture.width)
    if rows >= picture.height:
        return _strip(picture, bits)
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        pixels[top:bottom] = _strip(picture.crop((0, top, picture.width, bottom)), bits)
    return pixels


def _strip(picture: Pillow.Image, bits: int) -> Image:
    if picture.mode.startswith("I"):
        picture = picture.point(lambda value: value / 2 ** (bits - 8)).convert("L")
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


def _bits(picture: Pillow.Image) -> int:
    """Returns how many bits a grey value has: 10 or 12 are often written into 16, at the lower end."""
    if not picture.mode.startswith("I"):
        return 8
    brightest = picture.getextrema()[1]
    assert isinstance(brightest, int)
    return max(8, brightest.bit_length())


def _upright(image: Image, orientation: int) -> Image:
    """Returns the picture turned upright, by its EXIF orientation (1 to 8)."""
    if orientation in (5, 6, 7, 8):
        image = image.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        image = image[:, ::-1]
    if orientation in (3, 4, 7, 8):
        image = image[::-1]
    return np.ascontiguousarray(image)


def encode_image(image: Image, media_type: str) -> bytes:
    """Returns the picture (H, W, 3) in RGB as a PNG or, for any other media type, as a JPEG.

    Raises:
        InvalidArgument: The picture is too long for that.
    """
    kind = "PNG" if media_type == "image/png" else "JPEG"
    longest = max(image.shape[:2])
    if longest > _LONGEST[kind]:
        other = "image/png" if longest <= _LONGEST["PNG"] else "application/json"
        raise InvalidArgument(f"a {kind} has at most {_LONGEST[kind]} pixels a side; ask for {other}")
    done, buffer = cv2.imencode(f".{kind.lower()}", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError(f"OpenCV could not write a {kind}")
    return buffer.tobytes()
