"""What a HEIC says of itself before libheif and its Python module read it: they trust it too far.

Boxes: ISO/IEC 14496-12 and 23008-12.
"""

from __future__ import annotations

from collections.abc import Iterator

from service.errors import InvalidImage

_HEAD = 8  # bytes of a box before what is in it
_MOST_BOXES = 1000
_TEXT, _ID_IS_LONG = 12, 3  # where an item's type and names begin in its entry; version whose ids have 2 bytes more


def coded_pixels(data: bytes) -> int:
    """Returns the pixels of the largest picture among those in the file: the whole, its tiles, a thumbnail.

    A clean aperture (`clap`) may show far fewer, but all of them are decoded.
    """
    largest = 0
    for place, end in _boxes(data, b"ispe"):
        if place + 16 <= end:
            width, height = (int.from_bytes(data[at : at + 4]) for at in (place + 8, place + 12))
            largest = max(largest, width * height)
    return largest


def check_names(data: bytes) -> None:
    """Raises `InvalidImage` where the type or a name of an item is no text: pi_heif ends the process then."""
    for place, end in _boxes(data, b"infe"):
        start = place + _TEXT + 2 * (data[place + 4 : place + 5] == bytes([_ID_IS_LONG]))
        size = int.from_bytes(data[place - 4 : place])
        try:
            data[start : min(place - 4 + size, end) if size >= _HEAD else end].decode()
        except UnicodeDecodeError:
            raise InvalidImage("the HEIC names its parts with what is no text; save it again") from None


def _boxes(data: bytes, kind: bytes) -> Iterator[tuple[int, int]]:
    """Yields the place of each of these words in the `meta` boxes of the file, and the end of that box."""
    for start, end in _metas(data):
        place = data.find(kind, start, end)
        while place >= 0:
            yield place, end
            place = data.find(kind, place + 4, end)


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
    raise InvalidImage(f"the HEIC has over {_MOST_BOXES} boxes; save it again")
