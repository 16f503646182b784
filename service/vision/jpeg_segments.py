"""The segments of a JPEG before its first scan, and its scans."""

from __future__ import annotations

import re
from collections.abc import Iterator

_SCAN, _END = 0xDA, 0xD9
_LAST = (_SCAN, _END)
_FIRST_SEGMENT = 0xC0  # markers below are of no picture
_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")  # neither a byte of data, a restart nor fill
_MOST_SEGMENTS = 5000
_BETWEEN = re.compile(rb"(?:\xff(?=\xff)|\xff[\x01\xd0-\xd8])*")


def segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yields marker, start and end of each segment with a length, until something else than a marker comes.

    Start is the place of the marker; the body begins 4 bytes later.
    """
    position = 2
    for _ in range(_MOST_SEGMENTS):
        # Fill bytes, and markers without a length, may stand before a marker.
        position = _BETWEEN.match(data, position).end()  # type: ignore[union-attr]  # it matches nothing as well
        if position + 4 > len(data) or data[position] != 0xFF or data[position + 1] in _LAST:
            return
        end = position + 2 + int.from_bytes(data[position + 2 : position + 4], "big")
        yield data[position + 1], position, end
        position = end


def scans_of(data: bytes) -> Iterator[int]:
    """Yields where each scan begins, up to the picture's end: what follows there, such as a video, is not looked at."""
    position = max((end for _, _, end in segments(data)), default=2)
    while (found := _MARKER.search(data, position)) is not None:
        position, marker = found.start(), data[found.start() + 1]
        if marker == _END:
            return
        if marker < _FIRST_SEGMENT:  # of no picture, but libjpeg reads on after one of them
            position += 2
            continue
        if marker == _SCAN:
            yield position
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
