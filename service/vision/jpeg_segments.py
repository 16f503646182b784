"""The segments of a JPEG before its first scan, and its scans."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SCAN, _END = 0xDA, 0xD9
_LAST = (_SCAN, _END)
_FIRST_SEGMENT = 0xC0  # markers below are of no picture
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither a byte of data, a restart nor fill
_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_FILL = 0xFF


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields marker, start and end of each segment with a length, until something else than a marker comes.

    Start is the place of the marker; the body begins 4 bytes later.
    """
    position = 2
    while position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker in _LAST:
            return
        if marker == _FILL or marker in _WITHOUT_LENGTH:
            position += 1 if marker == _FILL else 2
            continue
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield marker, position, end
        position = end


def scans_of(data: bytes) -> Iterator[int]:
    """Yields where each scan begins, up to the picture's end: what follows there, such as a video, is not looked at."""
    position = max((end for _, _, end in segments(data)), default=2)
    while (found := _MARKER.search(data, position)) is not None:
        position, marker = found.start(), data[found.start() + 1]
        if marker == _END or marker < _FIRST_SEGMENT:
            return
        if marker == _SCAN:
            yield position
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
