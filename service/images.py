"""Bytes to pictures and back. Sizes are known and checked before anything is decoded."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image as Pillow
from PIL import ImageOps, UnidentifiedImageError

from service.errors import InvalidImage, PayloadTooLarge, UnsupportedMediaType
from service.geometry import Image

# Pillow itself makes an MPO of a JPEG that holds a second picture, as those of many phones do.
_FORMATS = ("JPEG", "PNG", "WEBP", "BMP")
_SUPPORTED = "JPEG, PNG, WebP or BMP"
_ORIENTATION = 0x0112  # EXIF tag
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


def decode_image(data: bytes, max_bytes: int, max_pixels: int) -> Image:
    """An encoded picture as (H, W, 3) RGB, turned upright as its EXIF orientation says."""
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
    try:
        picture = Pillow.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        raise InvalidImage(f"the bytes are not a picture; send a {_SUPPORTED} file") from None
    except (OSError, SyntaxError, ValueError) as error:
        raise InvalidImage(f"the picture's header is damaged; send a whole {_SUPPORTED} file") from error
    with picture:
        if picture.width * picture.height > max_pixels:
            raise PayloadTooLarge(
                f"the picture has {picture.width} x {picture.height} pixels; at most {max_pixels} are taken: shrink it"
            )
        if picture.format != "MPO" and getattr(picture, "n_frames", 1) > 1:
            raise UnsupportedMediaType("the picture is animated; send one frame, or a video to /v1/actions")
        try:
            # Each step only where it changes something: Pillow would copy the picture each time.
            upright = picture if picture.getexif().get(_ORIENTATION, 1) == 1 else ImageOps.exif_transpose(picture)
            if upright.mode.startswith("I"):  # 16 bits a pixel
                upright = upright.point(lambda value: value / 256).convert("L")
            return np.asarray(upright if upright.mode == "RGB" else upright.convert("RGB"))
        except Exception as error:  # Pillow's decoders raise many kinds on damaged data
            raise InvalidImage("the picture is truncated or damaged; send the whole file") from error


def encode_image(image: Image, media_type: str) -> bytes:
    extension = ".png" if media_type == "image/png" else ".jpg"
    done, buffer = cv2.imencode(extension, cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:
        raise RuntimeError(f"OpenCV could not write {extension}")
    return buffer.tobytes()
