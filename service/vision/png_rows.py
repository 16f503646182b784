"""Whether a PNG has all of its rows: where its stream of pixels ends early, decoders leave the rest black."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # by colour type
# First column and row, and their steps, of the passes of an interlaced PNG (Adam7).
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_PIECE, _INFLATED = 2**16, 2**20  # bytes at once: before, and at most after


def lacks_rows(png: bytes) -> bool:
    """Whether the pixels of a PNG of valid chunks end before its last row. Blocks: it is work for a thread."""
    width, height, bits, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", png, 16)
    passes = _PASSES if interlaced else ((0, 0, 1, 1),)
    missing = 0
    for left, top, across, down in passes:
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            missing += rows * (1 + -(-columns * bits * _CHANNELS.get(colour, 1) // 8))
    inflate = zlib.decompressobj()
    try:
        for piece in _pixels(png):
            rest: bytes | memoryview = piece
            while rest and not inflate.eof and missing > 0:
                missing -= len(inflate.decompress(rest, _INFLATED))
                rest = inflate.unconsumed_tail
    except zlib.error:
        return True
    return missing > 0


def _pixels(png: bytes) -> Iterator[memoryview]:
    whole, position = memoryview(png), 8
    while position + 12 <= len(png):
        end = position + 8 + int.from_bytes(png[position : position + 4], "big")
        if png[position + 4 : position + 8] == b"IDAT":
            for start in range(position + 8, end, _PIECE):
                yield whole[start : min(start + _PIECE, end)]
        position = end + 4
