"""How many pixels a HEIC is coded in: its clean aperture (`clap`) may show far fewer, but all of them are decoded.

Boxes: ISO/IEC 14496-12 and 23008-12.
"""

from __future__ import annotations

from collections.abc import Iterator

_HEAD = 8  # bytes of a box before what is in it
_MOST_BOXES = 1000


def coded_pixels(data: bytes) -> int:
    """Returns the pixels of the largest picture among those in the file: the whole, its tiles, a thumbnail."""
    largest = 0
    for start, end in _metas(data):
        place = data.find(b"ispe", start, end)
        while 0 <= place <= end - 16:
            width, height = (int.from_bytes(data[at : at + 4]) for at in (place + 8, place + 12))
            largest = max(largest, width * height)
            place = data.find(b"ispe", place + 4, end)
    return largest


def _metas(data: bytes) -> Iterator[tuple[int, int]]:
    """Yields where each `meta` box of the file begins and ends."""
    place = 0
    for _ in range(_MOST_BOXES):
        if place + _HEAD > len(data):
            return
        size, kind = int.from_bytes(data[place : place + 4]), data[place + 4 : place + 8]
        if size == 1:
            size = int.from_bytes(data[place + 8 : place + 16])
        end = place + size if size >= _HEAD else len(data)  # 0: to the end of the file
        if kind == b"meta":
            yield place, min(end, len(data))
        place = end
