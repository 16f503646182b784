"""Picture files by their parts: EXIF, segments of JPEG, chunks of PNG and WebP."""

from __future__ import annotations

import io
import struct
import zlib

from PIL import Image as Pillow

TEXT, RATIONALS = 2, (5, 10)  # of TIFF's types
FORMS = {
    1: "B",
    TEXT: "2s",
    3: "H",
    4: "I",
    5: "II",
    6: "b",
    7: "B",
    8: "h",
    9: "i",
    10: "ii",
    11: "f",
    12: "d",
    13: "I",
}


def file(image: Pillow.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def exif(orientation: int, kind: int = 3, order: str = ">", before: tuple[bytes, ...] = (), count: int = 1) -> bytes:
    """A TIFF whose orientation tag has this type, repeats its value `count` times and follows the tags `before`."""
    mark = b"MM\0*" if order == ">" else b"II*\0"
    tags = len(before) + 1
    after = 8 + 2 + 12 * tags + 4
    values: list[object] = [str(orientation).encode() + b"\0"] if kind == TEXT else [orientation]
    if kind in RATIONALS:
        values.append(1)
    value, count = struct.pack(order + FORMS[kind], *values) * count, 2 if kind == TEXT else count
    entry = struct.pack(order + "HHI", 0x0112, kind, count)
    entry += value.ljust(4, b"\0") if len(value) <= 4 else struct.pack(order + "I", after)
    return mark + struct.pack(order + "IH", 8, tags) + b"".join(before) + entry + bytes(4) + value


def odd_tags(order: str) -> dict[str, tuple[bytes, ...]]:
    """Entries that cameras and editors write, and that readers of all tags stumble over."""

    def entry(tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack(order + "HHII", tag, kind, count, value)

    return {
        "short_as_text": (entry(0x0100, 2, 4, 0x61626300),),
        "rational_as_text": (entry(0x011A, 2, 5, 26),),
        "unknown_type": (entry(0x010F, 99, 7, 1234),),
        "count_of_billions": (entry(0x010E, 2, 0xFFFFFFFF, 8),),
        "points_beyond": (entry(0x8769, 4, 1, 0xFFFFFF00),),
        "points_at_itself": (entry(0x8769, 4, 1, 8),),
    }


def chunk(kind: bytes, body: bytes, crc: int | None = None, length: int | None = None) -> bytes:
    crc = zlib.crc32(kind + body) if crc is None else crc
    return struct.pack(">I", len(body) if length is None else length) + kind + body + struct.pack(">I", crc)


def with_segment(jpeg: bytes, marker: int, body: bytes) -> bytes:
    return jpeg[:2] + bytes([0xFF, marker]) + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def with_chunk(png: bytes, new: bytes) -> bytes:
    """The PNG with a chunk after its header."""
    return png[:33] + new + png[33:]


def with_webp_chunk(webp: bytes, kind: bytes, body: bytes) -> bytes:
    whole = webp + kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)
    return whole[:4] + struct.pack("<I", len(whole) - 8) + whole[8:]


def animation_of_one(webp: bytes, width: int, height: int) -> bytes:
    """The pixels of a WebP as the only frame of an animation."""
    corner = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    frame = bytes(6) + corner + bytes(4) + webp[12:]
    whole = b"RIFF\0\0\0\0WEBP"
    for kind, body in ((b"VP8X", b"\x02\0\0\0" + corner), (b"ANIM", bytes(6)), (b"ANMF", frame)):
        whole = with_webp_chunk(whole, kind, body)
    return whole
