"""Picture files without what their pixels do not need: damage there must not refuse good pixels.

Text, colour profiles, thumbnails and EXIF are left out before a decoder sees the file; the orientation is kept.
"""

from __future__ import annotations

import struct
import zlib
from typing import NamedTuple

from service.errors import InvalidImage, UnsupportedMediaType
from service.vision.exif import UPRIGHT, orientation_of
from service.vision.file_kinds import is_webp
from service.vision.jpeg_segments import segments

_PNG, _RIFF = b"\x89PNG\r\n\x1a\n", b"RIFF"
_JPEG = b"\xff\xd8"
_APP0, _APP1, _APP14, _APP15, _COMMENT = 0xE0, 0xE1, 0xEE, 0xEF, 0xFE
_OF_COLOURS = {_APP0: b"JFIF\0", _APP14: b"Adobe"}  # they say how colours are stored
_HEADER = b"\0\0\0\x0dIHDR"
_PALETTE = 3  # colour type
_ONE_FRAME = (1).to_bytes(4)
_CRITICAL = (b"PLTE", b"IDAT", b"IEND")
ANIMATED = "the picture is animated; send one frame, or a video to /v1/actions"


class BareFile(NamedTuple):
    data: bytes
    orientation: int = UPRIGHT  # of EXIF, 1 to 8


def bare(data: bytes) -> BareFile:
    """Returns a JPEG, PNG or WebP with its pixels alone; any other file as it is.

    Raises:
        InvalidImage: A PNG or WebP without pixels.
        UnsupportedMediaType: It is animated.
    """
    if data.startswith(_JPEG):
        return _bare_jpeg(data)
    if data.startswith(_PNG):
        return _bare_png(data)
    if is_webp(data):
        return _bare_webp(data)
    return BareFile(data)


def _bare_jpeg(data: bytes) -> BareFile:
    kept: list[bytes | memoryview] = [_JPEG]
    orientation, is_bare, rest, whole = UPRIGHT, True, 2, memoryview(data)
    for marker, start, end in segments(data):
        body, is_needed = data[start + 4 : min(end, start + 16)], True
        if _APP0 <= marker <= _APP15 or marker == _COMMENT:
            if marker == _APP1 and body.startswith(b"Exif\0\0") and orientation == UPRIGHT:
                orientation = orientation_of(data[start + 4 : end])
            is_needed = marker in _OF_COLOURS and body.startswith(_OF_COLOURS[marker])
        if is_needed:
            kept.append(whole[start:end])
        is_bare, rest = is_bare and is_needed, end
    return BareFile(data if is_bare else b"".join([*kept, whole[rest:]]), orientation)


def _bare_png(data: bytes) -> BareFile:
    kept: list[bytes | memoryview] = [_PNG]
    exif, whole, has_pixels, has_palette = b"", memoryview(data), False, False
    position = len(_PNG)
    if not data.startswith(_HEADER, position):
        raise InvalidImage("the PNG does not begin with its header; send the whole file")
    while position + 12 <= len(data):
        length, kind = int.from_bytes(whole[position : position + 4], "big"), data[position + 4 : position + 8]
        end = position + 12 + length
        is_needed = kind in _CRITICAL or position == len(_PNG)  # a second header is none
        if kind == b"acTL" and length == 8 and not has_pixels and data[position + 8 : position + 12] > _ONE_FRAME:
            raise UnsupportedMediaType(ANIMATED)
        has_pixels, has_palette = has_pixels or kind == b"IDAT", has_palette or kind == b"PLTE"
        if kind == b"eXIf":
            exif = data[position + 8 : end - 4]
        if not is_needed and not _begins_chunk(data, end):
            end = _next_critical(data, position + 8)
        if is_needed:
            kept.append(whole[position:end])
        if kind == b"IEND":
            break
        position = end
    else:
        kept.append(_chunk(b"IEND", b""))
    if not has_pixels:
        raise InvalidImage("the PNG has no pixels; send the whole file")
    if data[25] == _PALETTE and not has_palette:
        raise InvalidImage("the PNG has no palette, which its pixels need; send the whole file")
    return BareFile(b"".join(kept), orientation_of(exif))


def _begins_chunk(data: bytes, position: int) -> bool:
    return data[position + 4 : position + 8].isalpha()


def _next_critical(data: bytes, start: int) -> int:
    """Returns where the next chunk with pixels or the palette begins: the length of the one before is wrong."""
    found = [at for at in (data.find(kind, start) for kind in _CRITICAL) if at >= 0]
    return min(found) - 4 if found else len(data)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _bare_webp(data: bytes) -> BareFile:
    pixels, exif, whole = b"", b"", memoryview(data)
    position, frames = 12, 0
    while position + 8 <= len(data):
        kind, length = data[position : position + 4], int.from_bytes(whole[position + 4 : position + 8], "little")
        end = position + 8 + length
        if kind == b"ANMF":
            frames += 1
            if frames > 1:
                raise UnsupportedMediaType(ANIMATED)
        if kind in (b"VP8 ", b"VP8L") and not pixels:
            pixels = bytes(whole[position:end]) + b"\0" * (length % 2)
        if kind == b"EXIF":
            exif = data[position + 8 : end]
        position = end + length % 2
    if frames:  # an animation of one frame; it may be smaller than the picture
        return BareFile(data, orientation_of(exif))
    if not pixels:
        raise InvalidImage("the WebP has no pixels; send the whole file")
    return BareFile(_RIFF + struct.pack("<I", 4 + len(pixels)) + b"WEBP" + pixels, orientation_of(exif))
