"""The orientation in a picture's EXIF, read without a look at any other tag: cameras write those as they like."""

from __future__ import annotations

import math
import struct

UPRIGHT = 1
_ORIENTATION = 0x0112
_PREFIX = b"Exif\0\0"
_ASCII = 2
_FORMS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "II", 6: "b", 7: "B", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d", 13: "I"}
_MOST_NUMBERS = 8  # a tag that has more of them is damaged; its value is looked for in the entry
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
    """Returns the first number of a tag. What has more than four bytes stands elsewhere, and its place in the entry."""
    form = _FORMS.get(kind, "H")
    if struct.calcsize(order + form) * max(count, 1) > 4 and count <= _MOST_NUMBERS:
        (at,) = struct.unpack_from(order + "I", tiff, at)
    if kind == _ASCII:
        text = tiff[at : at + min(count, _MOST_NUMBERS)].strip(b"\0 ")
        return int(text) if text.isdigit() else None
    number, *below = struct.unpack_from(order + form, tiff, at)
    if below:
        return int(number // below[0]) if below[0] else None
    return int(number) if math.isfinite(number) else None
