"""The segments of a JPEG before its first scan."""

from __future__ import annotations

from collections.abc import Iterator

_LAST = (0xDA, 0xD9)  # start of scan, end of image
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
