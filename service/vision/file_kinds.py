"""What kind of file some bytes are, by their beginning, for those that are not read here."""

from __future__ import annotations

import re

from service.vision.jpeg_segments import segments

READ = "JPEG, PNG, WebP, BMP, HEIC or AVIF"
# First bytes of files that are pictures or videos, but not ones that are read here.
_BEGINNINGS = {
    b"GIF8": "a GIF",
    b"II*\0": "a TIFF",
    b"MM\0*": "a TIFF",
    b"II+\0": "a BigTIFF",
    b"MM\0+": "a BigTIFF",
    b"%PDF": "a PDF",
    b"8BPS": "a Photoshop file",
    b"\0\0\1\0": "an icon (ICO)",
    b"\0\0\2\0": "a cursor (CUR)",
    b"icns": "an icon (ICNS)",
    b"II\xbc\1": "a JPEG XR",
    b"FUJIFILMCCD-RAW": "a camera's raw file (RAF)",
    b"qoif": "a QOI",
    b"DDS ": "a DDS",
    b"%!PS": "an EPS",
    b"\xd7\xcd\xc6\x9a": "a WMF",
    b"P5\n": "a PGM",
    b"P6\n": "a PPM",
    b"\x89PNG\r\n\x1a\n\0\0\0\4CgBI": "a PNG of Apple's own kind (CgBI)",
    b"\xff\x0a": "a JPEG XL",
    b"\0\0\0\x0cJXL ": "a JPEG XL",
    b"\xff\x4f\xff\x51": "a JPEG 2000",
    b"\0\0\0\x0cjP  ": "a JPEG 2000",
    b"\xff\xd8\xff\xf7": "a JPEG-LS",
    b"\x1aE\xdf\xa3": "a WebM or Matroska video (send videos to /v1/actions)",
    b"FLV\x01": "a video (send videos to /v1/actions)",
    b"\0\0\1\xba": "a video (send videos to /v1/actions)",
    b"OggS": "an Ogg file (send videos to /v1/actions)",
}
_HEIC_STILLS, _AVIF_STILLS = (b"heic", b"heix", b"heim", b"heis", b"mif1"), (b"avif",)
_HEIC, _AVIF = (*_HEIC_STILLS, b"hevc", b"hevx", b"msf1"), (*_AVIF_STILLS, b"avis")  # with sequences
_NO_VIDEOS = {
    b"crx ": "a camera's raw file (CR3)",
    b"M4A ": "sound (M4A)",
    b"jp2 ": "a JPEG 2000",
    b"jxl ": "a JPEG XL",
}
_PROLOGUE = re.compile(rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml|<!--|<!DOCTYPE\s+svg|<svg)", re.IGNORECASE)
_SEARCHED = 2**16  # bytes, for an SVG's element after its prologue
_JPEG_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)}


def other_kind(data: bytes) -> str | None:
    """Returns what this is, with its article, where it is a kind of file that is known but not read."""
    for beginning, name in _BEGINNINGS.items():
        if data.startswith(beginning):
            return name
    if data.startswith(b"RIFF") and data[8:12] == b"AVI ":
        return "a video (send videos to /v1/actions)"
    if data[4:8] == b"ftyp" and not (is_heic(data) or is_avif(data)):
        return _NO_VIDEOS.get(data[8:12], "a video (send videos to /v1/actions)")
    if _PROLOGUE.match(data) and b"<svg" in data[:_SEARCHED].lower():
        return "an SVG"
    if data.startswith(b"\xff\xd8"):
        return _odd_jpeg(data)
    return None


def is_picture(data: bytes) -> bool:
    """Whether the bytes begin as a picture of a kind that is read here."""
    return data.startswith((b"\xff\xd8\xff", b"\x89PNG", b"BM")) or is_webp(data)


def is_webp(data: bytes) -> bool:
    return data.startswith(b"RIFF") and data[8:12] == b"WEBP"


def is_heic(data: bytes) -> bool:
    return any(brand in _HEIC for brand in _brands(data)) and not is_avif(data)


def is_still(data: bytes) -> bool:
    """Whether the bytes begin as a HEIC or an AVIF with a single picture."""
    return data[4:8] == b"ftyp" and data[8:12] in (*_HEIC_STILLS, *_AVIF_STILLS)


def is_avif(data: bytes) -> bool:
    return any(brand in _AVIF for brand in _brands(data))


def _brands(data: bytes) -> list[bytes]:
    """Returns the brands of a file in ISO's base media format: what readers it is for."""
    if data[4:8] != b"ftyp":
        return []
    end = min(int.from_bytes(data[:4], "big"), len(data), _SEARCHED)
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def _odd_jpeg(data: bytes) -> str | None:
    """Returns what a JPEG is whose pixels have not 8 bits."""
    for marker, start, _ in segments(data):
        if marker in _JPEG_FRAMES and start + 5 <= len(data):
            bits = data[start + 4]
            return None if bits == 8 else f"a JPEG of {bits} bits"
    return None
