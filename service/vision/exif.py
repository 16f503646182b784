"""The orientation in a picture's EXIF, read without a look at any other tag: cameras write those as they like."""

from __future__ import annotations

import struct

UPRIGHT = 1
_ORIENTATION = 0x0112
_PREFIX = b"Exif\0\0"
_BYTE, _ASCII, _SHORT, _LONG, _RATIONAL = 1, 2, 3, 4, 5
_MOST_TAGS = 1000


def orientation_of(exif: bytes) -> int:
    r"""Returns the orientation, 1 to 8, by its value, whatever its type; 1 where there is none or it is rubbish.

    Args:
        exif: A TIFF header and its directories, after "Exif\0\0" or without it.
    """
    tiff = exif.removeprefix(_PREFIX)
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None:
        return UPRIGHT
    try:
        value = _value(tiff, order)
    except struct.error:  # it ends too early
        return UPRIGHT
    return value if value is not None and 1 <= value <= 8 else UPRIGHT


def _value(tiff: bytes, order: str) -> int | None:
    """Returns the number in the first directory's tag; None where there is no such tag, or no number in it."""
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (tags,) = struct.unpack_from(order + "H", tiff, directory)
    for entry in range(directory + 2, directory + 2 + 12 * min(tags, _MOST_TAGS), 12):
        tag, kind, count = struct.unpack_from(order + "HHI", tiff, entry)
        if tag == _ORIENTATION:
            return _number(tiff, order, kind, count, entry + 8)
    return None


def _number(tiff: bytes, order: str, kind: int, count: int, at: int) -> int | None:
    if kind == _BYTE:
        return tiff[at]
    if kind == _ASCII:  # up to four characters stand in the entry itself
        text = tiff[at : at + min(count, 4)].strip(b"\0 ")
        return int(text) if text.isdigit() else None
    if kind == _RATIONAL:
        (where,) = struct.unpack_from(order + "I", tiff, at)
        above, below = struct.unpack_from(order + "II", tiff, where)
        return int(above // below) if below else None
    number: int = struct.unpack_from(order + ("I" if kind == _LONG else "H"), tiff, at)[0]
    return number
