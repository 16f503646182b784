"""Decoding and encoding of pictures. Sizes are checked before anything is decoded."""

from __future__ import annotations

import io
from contextlib import closing
from typing import Protocol

import cv2
import numpy as np
import simplejpeg
from PIL import Image as Pillow
from PIL import UnidentifiedImageError

from service.errors import InvalidArgument, InvalidImage, PayloadTooLarge, UnsupportedMediaType
from service.vision.crops import Image

# Pillow itself makes an MPO of a JPEG that holds a second picture, as those of many phones do.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_SUPPORTED = "JPEG, PNG, WebP or BMP"
_ORIENTATION = 0x0112  # EXIF tag
_MARKS_OF_ORIENTATION = (b"Exif\0\0", b"tiff:Orientation")  # in EXIF and in XMP
_STRIP_PIXELS = 2**20
_SCAN, _MOST_SCANS = b"\xff\xda", 100  # a progressive JPEG has about ten, and each goes over all of its pixels
_LONGEST_JPEG = 65_500  # of libjpeg
MEDIA_TYPES = ("image/jpeg", "image/png", "image/webp", "image/bmp")
# First bytes of files that are pictures or videos, but not ones that are read here.
_KNOWN_OTHERS = {
    b"GIF8": "a GIF",
    b"II*\x00": "a TIFF",
    b"MM\x00*": "a TIFF",
    b"%PDF": "a PDF",
    b"<svg": "an SVG",
    b"\x1aE\xdf\xa3": "a WebM or Matroska video (send videos to /v1/actions)",
}

Pillow.MAX_IMAGE_PIXELS = None  # the limit is checked here, with an error that says so


class OpenPicture(Protocol):
    """A picture of known size, not decoded yet."""

    width: int
    height: int

    def decode(self) -> Image:
        """Returns the pixels (H, W, 3) in RGB, upright by the EXIF orientation.

        Raises:
            InvalidImage: The data are truncated or damaged.
        """

    def close(self) -> None:
        """Releases the file."""


class _PillowPicture:
    def __init__(self, picture: Pillow.Image, data: bytes) -> None:
        self._picture, self._data = picture, data
        self.width, self.height = picture.size

    def decode(self) -> Image:
        try:
            orientation = self._picture.getexif().get(_ORIENTATION, 1)
            pixels = _whole_jpeg(self._data) if self._is_rgb_jpeg() else None
            return _upright(_rgb(self._picture) if pixels is None else pixels, orientation)
        except MemoryError:
            raise
        except Exception as error:  # Pillow's decoders raise many kinds on damaged data
            raise InvalidImage("the picture is truncated or damaged; send the whole file") from error

    def close(self) -> None:
        self._picture.close()

    def _is_rgb_jpeg(self) -> bool:
        return self._picture.format in ("JPEG", "MPO") and self._picture.mode == "RGB"


class _PlainJpeg:
    """A JPEG in colour that says nothing of its orientation, as of a video or of the web: Pillow need not open it."""

    def __init__(self, data: bytes, width: int, height: int) -> None:
        self._data, self.width, self.height = data, width, height

    def decode(self) -> Image:
        pixels = _whole_jpeg(self._data)
        if pixels is not None:
            return pixels
        with closing(_opened_by_pillow(self._data)) as picture:
            return picture.decode()

    def close(self) -> None:
        pass


def _whole_jpeg(data: bytes) -> Image | None:
    """Returns the pixels of a JPEG in colour by libjpeg-turbo; None where it warns of anything.

    They are Pillow's, in two thirds of its time and less than half of its memory.
    """
    try:
        pixels: Image = simplejpeg.decode_jpeg(data, "RGB")
        return pixels
    except ValueError:
        return None


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
    _refuse_others(data, max_bytes)
    picture = _plain_jpeg(data) or _opened_by_pillow(data)
    if picture.width * picture.height > max_pixels:
        picture.close()
        raise PayloadTooLarge(
            f"the picture has {picture.width} x {picture.height} pixels; at most {max_pixels} are taken: shrink it"
        )
    return picture


def _plain_jpeg(data: bytes) -> _PlainJpeg | None:
    if not data.startswith(b"\xff\xd8") or any(mark in data for mark in _MARKS_OF_ORIENTATION):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    return _PlainJpeg(data, width, height) if colours in ("YCbCr", "RGB") else None


def _opened_by_pillow(data: bytes) -> _PillowPicture:
    try:
        picture = Pillow.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise InvalidImage(f"the bytes are not a picture; send a {_SUPPORTED} file") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidImage(f"the picture's header is damaged; send a whole {_SUPPORTED} file") from error
    if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
        picture.close()
        raise UnsupportedMediaType("the picture is animated; send one frame, or a video to /v1/actions")
    return _PillowPicture(picture, data)


def _refuse_others(data: bytes, max_bytes: int) -> None:
    """Raises for other formats, by their first bytes, and for too many bytes."""
    if not data:
        raise InvalidImage(f"the picture is empty (0 bytes); send a {_SUPPORTED} file")
    if len(data) > max_bytes:
        raise PayloadTooLarge(f"the picture has {len(data)} bytes; at most {max_bytes} are taken")
    for start, name in _KNOWN_OTHERS.items():
        if data.startswith(start):
            raise UnsupportedMediaType(f"this is {name}; send a {_SUPPORTED} file")
    if data[4:8] == b"ftyp":
        raise UnsupportedMediaType(
            f"this is a video, HEIC or AVIF; send a {_SUPPORTED} file, or a video to /v1/actions"
        )
    if data.startswith(b"\xff\xd8") and data.count(_SCAN) > _MOST_SCANS:
        raise InvalidImage(f"the JPEG has more than {_MOST_SCANS} scans; save it anew")


def decode_image(data: bytes, max_bytes: int, max_pixels: int) -> Image:
    """Returns the pixels (H, W, 3) of an encoded picture in RGB, upright. Raises as `open_picture` and `decode`."""
    picture = open_picture(data, max_bytes, max_pixels)
    try:
        return picture.decode()
    finally:
        picture.close()


def _rgb(picture: Pillow.Image) -> Image:
    """Returns the pixels in RGB. A large picture is converted in strips: in one go Pillow would hold it three times."""
    picture.load()
    rows = max(1, _STRIP_PIXELS // picture.width)
    if rows >= picture.height:
        return _strip(picture)
    pixels = np.empty((picture.height, picture.width, 3), np.uint8)
    for top in range(0, picture.height, rows):
        bottom = min(top + rows, picture.height)
        pixels[top:bottom] = _strip(picture.crop((0, top, picture.width, bottom)))
    return pixels


def _strip(picture: Pillow.Image) -> Image:
    if picture.mode.startswith("I"):  # 16 bits a pixel
        picture = picture.point(lambda value: value / 256).convert("L")
    return np.asarray(picture if picture.mode == "RGB" else picture.convert("RGB"))


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
        InvalidArgument: The picture is too large for a JPEG.
    """
    extension = ".png" if media_type == "image/png" else ".jpg"
    if extension == ".jpg" and max(image.shape[:2]) > _LONGEST_JPEG:
        raise InvalidArgument(f"a JPEG has at most {_LONGEST_JPEG} pixels a side; ask for image/png")
    done, buffer = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError(f"OpenCV could not write {extension}")
    return buffer.tobytes()
