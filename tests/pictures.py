"""Encoded pictures for tests: of one colour, of many pixels, of many scans."""

from __future__ import annotations

import struct
import zlib

from PIL import Image as Pillow

from tests.picture_files import chunk, file


def encoded(kind: str, size: tuple[int, int] = (40, 30), **options: object) -> bytes:
    return file(Pillow.new("RGB", size, (200, 50, 25)), kind, **options)


def huge_png(side: int) -> bytes:
    """A PNG of one colour: few bytes, many pixels."""
    rows = zlib.compress(bytes(1 + side // 8) * 64, 9)  # only the header is ever read
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def many_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG that goes over its pixels so often."""
    data = encoded("JPEG", (side, side), progressive=True)
    last, end = data.rindex(b"\xff\xda"), data.rindex(b"\xff\xd9")
    return data[:end] + data[last:end] * (scans - data.count(b"\xff\xda")) + data[end:]
