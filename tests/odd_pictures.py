"""Picture files as people have them: modes, depths, orientations, odd metadata, damage, and formats not read here."""

from __future__ import annotations

import base64
import itertools
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Pillow

from tests.picture_files import (
    FORMS,
    TEXT,
    animation_of_one,
    chunk,
    exif,
    file,
    odd_tags,
    with_chunk,
    with_segment,
    with_webp_chunk,
)

WIDTH, HEIGHT = 64, 48
CORNERS = np.array([[200, 50, 25], [25, 160, 60], [40, 60, 200], [230, 220, 60]])  # from left to right, top to bottom
WHOLE, CUT, NOT_READ = 200, 422, 415
TRANSPOSED = (5, 6, 7, 8)  # orientations whose files lie on their side
# From the upright picture to the stored one.
STORED = {
    1: None,
    2: Pillow.Transpose.FLIP_LEFT_RIGHT,
    3: Pillow.Transpose.ROTATE_180,
    4: Pillow.Transpose.FLIP_TOP_BOTTOM,
    5: Pillow.Transpose.TRANSPOSE,
    6: Pillow.Transpose.ROTATE_90,
    7: Pillow.Transpose.TRANSVERSE,
    8: Pillow.Transpose.ROTATE_270,
}
# The same picture as a phone's HEIC: 90 degrees turned by `irot`, with an EXIF orientation that does not hold as well.
HEIC = base64.b64decode(
    "AAAAHGZ0eXBoZWljAAAAAG1pZjFoZWljbWlhZgAAAchtZXRhAAAAAAAAACFoZGxyAAAAAAAAAABwaWN0AAAAAAAAAAAAAAAAAAAAADRpbG9jAAAAAERA"
    "AAIAAQAAAAAB7AABAAAAAAAAAD4AAgAAAAACKgABAAAAAAAAACQAAAA4aWluZgAAAAAAAgAAABVpbmZlAgAAAAABAABodmMxAAAAABVpbmZlAgAAAQAC"
    "AABFeGlmAAAAAA5waXRtAAAAAAABAAABB2lwcnAAAADmaXBjbwAAAHZodmNDAQNwAAAAkAAAAAAAHvAA/P34+AAADwNgAAEAGEABDAH//wNwAAADAJAA"
    "AAMAAAMAHroCQGEAAQAqQgEBA3AAAAMAkAAAAwAAAwAeoCCBBZbq5Ka5uAhoMCAAAAMDIAAAAwAhYgABAAZEAcFzwIkAAAATY29scm5jbHgAAQANAAaA"
    "AAAAFGlzcGUAAAAAAAAAQAAAAEAAAAAoY2xhcAAAADAAAAABAAAAQAAAAAH////wAAAAAgAAAAAAAAACAAAAEHBpeGkAAAAAAwgICAAAAAlpcm90AwAA"
    "ABlpcG1hAAAAAAAAAAEAAQaBAgMFhIYAAAAaaXJlZgAAAAAAAAAOY2RzYwACAAEAAQAAAGptZGF0AAAAOigBr1j5Et3/kk/9Q3/cDnO9W1zN92Oufahae"
    "O5W1nnGB6QL1+leQJjW2tbvtP2mv10Ozr76SsMi98AAAAAGRXhpZgAATU0AKgAAAAgAAQESAAMAAAABAAYAAAAAAAA="
)


@dataclass(frozen=True)
class OddPicture:
    name: str
    data: bytes
    status: int = WHOLE
    grey: bool = False
    says: str = ""  # a part of the error's text
    size: tuple[int, int] = (WIDTH, HEIGHT)

    def __str__(self) -> str:
        return self.name


def picture() -> Pillow.Image:
    quarters = CORNERS.reshape(2, 2, 3).astype(np.uint8)
    return Pillow.fromarray(quarters.repeat(HEIGHT // 2, 0).repeat(WIDTH // 2, 1))


def stored(orientation: int, mode: str = "RGB") -> Pillow.Image:
    image, turn = picture(), STORED[orientation]
    image = image if turn is None else image.transpose(turn)
    if mode == "I;16":
        return Pillow.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    if mode == "P":
        return image.quantize(16)
    return image.convert(mode)


def jpegs() -> Iterator[OddPicture]:
    for mode, orientation, progressive in itertools.product(("RGB", "L", "CMYK"), STORED, (False, True)):
        data = file(stored(orientation, mode), "JPEG", quality=95, progressive=progressive)
        name = f"jpeg-{mode}-{orientation}-{'progressive' if progressive else 'baseline'}"
        yield OddPicture(name, with_segment(data, 0xE1, b"Exif\0\0" + exif(orientation)), grey=mode == "L")
    for orientation, kind, order in itertools.product(STORED, FORMS, "<>"):
        data = file(stored(orientation), "JPEG", quality=95, subsampling=0)
        name = f"jpeg-orientation_{orientation}_as_type_{kind}_{'little' if order == '<' else 'big'}"
        yield OddPicture(name, with_segment(data, 0xE1, b"Exif\0\0" + exif(orientation, kind, order)))
    for orientation, kind in itertools.product((3, 6), (3, 4)):
        body = b"Exif\0\0" + exif(orientation, kind, count=4)
        data = file(stored(orientation), "JPEG", quality=95)
        yield OddPicture(f"jpeg-orientation_{orientation}_four_times_as_type_{kind}", with_segment(data, 0xE1, body))
    for order in "<>":
        for orientation, (name, before) in itertools.product((3, 6, 8), odd_tags(order).items()):
            data = file(stored(orientation), "JPEG", quality=95)
            body = b"Exif\0\0" + exif(orientation, order=order, before=before)
            yield OddPicture(f"jpeg-{name}-{orientation}-{order}", with_segment(data, 0xE1, body))
    plain = file(picture(), "JPEG", quality=95)
    long_text = b"MM\0*" + struct.pack(">IHHHII", 8, 1, 0x0112, TEXT, 5000, 26) + bytes(4) + b"6" * 5000
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta><rdf tiff:Orientation='6'/></x:xmpmeta>"
    for name, marker, body in (
        ("xmp_orientation", 0xE1, xmp),
        ("rubbish_exif", 0xE1, b"Exif\0\0rubbish"),
        ("short_exif", 0xE1, b"Exif\0\0MM\0*\0"),
        ("no_tiff", 0xE1, b"Exif"),
        ("orientation_in_thousands_of_digits", 0xE1, b"Exif\0\0" + long_text),
        ("orientation_9", 0xE1, b"Exif\0\0" + exif(9)),
        ("rubbish_profile", 0xE2, b"ICC_PROFILE\0\1\1rubbish"),
        ("profile_part_of_none", 0xE2, b"ICC_PROFILE\0\3\2" + bytes(100)),
        ("second_picture", 0xE2, b"MPF\0MM\0*\xff\xff\xff\xff"),
        ("photoshop", 0xED, b"Photoshop 3.0\x008BIM\x04\x04\xff"),
        ("comment", 0xFE, b"\xff\xfe\x00 no text"),
        ("full_segment", 0xE5, bytes(65_000)),
    ):
        yield OddPicture(f"jpeg-{name}", with_segment(plain, marker, body))
    yield OddPicture("jpeg-picture_after_its_end", plain + plain)
    yield OddPicture("jpeg-rubbish_after_its_end", plain + b"rubbish" * 100)
    yield OddPicture("jpeg-motion_photo", plain + b"\0\0\0\x18ftypmp42" + b"\xff\xda" * 500)
    yield OddPicture("jpeg-no_end_marker", plain[:-2])
    yield OddPicture("jpeg-few_bytes_before_its_end", plain[:-2] + bytes(9) + plain[-2:])
    yield OddPicture("jpeg-fill_bytes", plain[:2] + b"\xff\xff\xff" + plain[2:])


def pngs() -> Iterator[OddPicture]:
    for mode, orientation in itertools.product(("RGB", "RGBA", "P", "L", "LA", "I;16"), STORED):
        data = with_chunk(file(stored(orientation, mode), "PNG"), chunk(b"eXIf", exif(orientation)))
        yield OddPicture(f"png-{mode}-{orientation}", data, grey=mode in ("L", "LA", "I;16"))
    for bits in range(8, 17):
        grey = np.asarray(picture().convert("L")).astype(np.uint32) * (2**bits - 1) // 228  # 228 is the brightest
        data = file(Pillow.fromarray(grey.clip(max=2**bits - 1).astype(np.uint16)), "PNG")
        yield OddPicture(f"png-{bits}_bits_in_16", data, grey=True)
    for mode in ("RGB", "P", "I;16"):
        plain = file(stored(1, mode), "PNG")
        text, profile = b"note\0\0" + zlib.compress(bytes(2**21)), b"name\0\0" + zlib.compress(bytes(2**21))
        for name, new in (
            ("long_text", chunk(b"zTXt", text)),
            ("long_profile", chunk(b"iCCP", profile)),
            ("rubbish_profile", chunk(b"iCCP", b"rubbish")),
            ("rubbish_text", chunk(b"zTXt", b"note\0\0rubbish")),
            ("bad_crc", chunk(b"tEXt", b"note\0text", crc=1)),
            ("short_phys", chunk(b"pHYs", b"\0\0\1")),
            ("short_gamma", chunk(b"gAMA", b"\0")),
            ("rubbish_exif", chunk(b"eXIf", b"rubbish")),
            ("exif_with_prefix", chunk(b"eXIf", b"Exif\0\0" + exif(1))),
            ("length_too_long", chunk(b"tEXt", b"note\0text", length=2**30)),
            ("length_too_short", chunk(b"tEXt", b"note\0some text", length=3)),
            ("unknown_chunk", chunk(b"abCd", b"what?")),
            ("second_header", chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))),
            ("animation_of_one", chunk(b"acTL", struct.pack(">II", 1, 0))),
            ("empty_animation", chunk(b"acTL", b"")),
            ("rubbish_transparency", chunk(b"tRNS", b"\0" * 300)),
        ):
            yield OddPicture(f"png-{mode}-{name}", with_chunk(plain, new), grey=mode == "I;16")
        yield OddPicture(f"png-{mode}-no_end", plain[:-12], grey=mode == "I;16")
        yield OddPicture(f"png-{mode}-more_after_its_end", plain + b"rubbish", grey=mode == "I;16")


def others() -> Iterator[OddPicture]:
    for orientation, mode, lossless in itertools.product(STORED, ("RGB", "RGBA"), (False, True)):
        data = file(stored(orientation, mode), "WEBP", lossless=lossless, quality=95, exif=exif(orientation))
        yield OddPicture(f"webp-{mode}-{orientation}-{'lossless' if lossless else 'lossy'}", data)
    webp = file(picture(), "WEBP", quality=95)
    for name, kind, body in (
        ("rubbish_exif", b"EXIF", b"rubbish"),
        ("rubbish_profile", b"ICCP", b"rubbish"),
        ("unknown_chunk", b"abcd", b"what?"),
    ):
        yield OddPicture(f"webp-{name}", with_webp_chunk(webp, kind, body))
    yield OddPicture("webp-animation_of_one", animation_of_one(webp, WIDTH, HEIGHT))
    for mode in ("RGB", "P", "L", "RGBA"):
        yield OddPicture(f"bmp-{mode}", file(stored(1, mode), "BMP"), grey=mode == "L")
    for orientation in STORED:
        data = file(stored(orientation), "AVIF", quality=90, exif=exif(orientation), speed=10)
        yield OddPicture(f"avif-{orientation}", data)
    for orientation, (name, before) in itertools.product((3, 6), odd_tags(">").items()):
        broken = exif(orientation, before=before)
        data = file(stored(orientation), "AVIF", quality=90, exif=exif(orientation, before=(bytes(12),)), speed=10)
        old = exif(orientation, before=(bytes(12),))
        if old in data:
            yield OddPicture(f"avif-{name}-{orientation}", data.replace(old, broken))
    yield OddPicture("heic", HEIC)
    yield OddPicture("heic-brand_mif1", HEIC.replace(b"ftypheic", b"ftypmif1", 1))


def sizes() -> Iterator[OddPicture]:
    """Small, thin and odd sizes, upright and on their side, as files of all kinds."""
    for size in ((1, 1), (1, 7), (7, 1), (2, 3), (15, 17), (16, 16), (33, 31), (1, 300), (1500, 2), (257, 129)):
        image = picture().resize(size)
        for kind in ("JPEG", "PNG", "WEBP", "BMP"):
            yield OddPicture(f"{kind.lower()}-of_{size[0]}x{size[1]}", file(image, kind), size=size)
        for orientation in (5, 6, 7, 8):
            lying = image.transpose(STORED[orientation] or Pillow.Transpose.TRANSPOSE)
            data = with_segment(file(lying, "JPEG"), 0xE1, b"Exif\0\0" + exif(orientation))
            yield OddPicture(f"jpeg-of_{size[0]}x{size[1]}-{orientation}", data, size=size)
            data = file(lying, "WEBP", lossless=True, exif=exif(orientation))
            yield OddPicture(f"webp-of_{size[0]}x{size[1]}-{orientation}", data, size=size)


def cut() -> Iterator[OddPicture]:
    """Files whose pixels end too early, or are damaged where the format can tell."""
    rng = np.random.default_rng(0)
    noise = Pillow.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3), np.uint8))
    for kind in ("JPEG", "PNG", "WEBP", "BMP", "AVIF"):
        data = file(noise, kind)
        for percent in (5, 30, 50, 70, 90):
            yield OddPicture(f"{kind.lower()}-cut_at_{percent}", data[: len(data) * percent // 100], CUT)
    for percent in (30, 50, 70, 90):
        yield OddPicture(f"heic-cut_at_{percent}", HEIC[: len(HEIC) * percent // 100], CUT)
    jpeg, rows = file(noise, "JPEG"), noise.tobytes()
    yield OddPicture("jpeg-cut_before_its_end_marker", jpeg[: len(jpeg) // 2] + jpeg[-2:], CUT)
    yield OddPicture("jpeg-higher_than_its_pixels", jpeg.replace(struct.pack(">H", HEIGHT), b"\x01\0", 1), CUT)
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0))
    half = chunk(b"IDAT", zlib.compress(b"\0" + rows[: len(rows) // 2]))
    yield OddPicture("png-stream_of_pixels_ends_early", b"\x89PNG\r\n\x1a\n" + header + half + chunk(b"IEND", b""), CUT)
    yield OddPicture("png-pixels_without_a_header", b"\x89PNG\r\n\x1a\n" + chunk(b"IDAT", b""), CUT)
    palette = file(stored(1, "P"), "PNG")
    yield OddPicture("png-without_its_palette", palette.replace(b"PLTE", b"abCd"), CUT, says="palette")
    png = bytearray(file(noise, "PNG"))
    for at in (60, len(png) // 2, len(png) - 30):
        damaged = bytearray(png)
        damaged[at] ^= 0xFF
        yield OddPicture(f"png-pixels_damaged_at_{at}", bytes(damaged), CUT)
    for name, data in (("nothing", b""), ("text", b"hello, I am no picture"), ("zeros", bytes(5000))):
        yield OddPicture(name, data, CUT)


def not_read() -> Iterator[OddPicture]:
    jpeg = file(picture(), "JPEG")
    frame = jpeg.index(b"\xff\xc0")
    twelve = jpeg[:frame] + b"\xff\xc1" + jpeg[frame + 2 : frame + 4] + b"\x0c" + jpeg[frame + 5 :]
    frames = [picture(), stored(3)]
    for name, data, says in (
        ("gif", file(picture(), "GIF"), "GIF"),
        ("tiff", file(picture(), "TIFF"), "TIFF"),
        ("bigtiff-little", b"II+\0\x08\0\0\0" + bytes(100), "BigTIFF"),
        ("bigtiff-big", b"MM\0+\0\x08\0\0" + bytes(100), "BigTIFF"),
        ("jpeg_xl-codestream", b"\xff\x0a" + bytes(100), "JPEG XL"),
        ("jpeg_xl-container", b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(100), "JPEG XL"),
        ("jpeg_2000", file(picture(), "JPEG2000"), "JPEG 2000"),
        ("jpeg_2000-codestream", b"\xff\x4f\xff\x51" + bytes(100), "JPEG 2000"),
        ("jpeg_ls", b"\xff\xd8\xff\xf7" + bytes(100), "JPEG-LS"),
        ("jpeg-12_bits", twelve, "12 bits"),
        ("svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        ("svg-prologue", b"<?xml version='1.0'?>\n<!-- drawn -->\n<!DOCTYPE svg>\n<svg/>", "SVG"),
        ("svg-comment", b"\xef\xbb\xbf  <!-- drawn --><SVG/>", "SVG"),
        ("pdf", b"%PDF-1.7\n", "PDF"),
        ("photoshop", b"8BPS\0\1" + bytes(30), "Photoshop"),
        ("ico", file(picture(), "ICO"), "icon"),
        ("canon_raw", b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(100), "CR3"),
        ("sound", b"\0\0\0\x18ftypM4A \0\0\0\0M4A mp42" + bytes(100), "sound"),
        ("ppm", file(picture(), "PPM"), "PPM"),
        ("qoi", b"qoif\0\0\0\1\0\0\0\1\3\0" + bytes(100), "QOI"),
        ("dds", file(picture(), "DDS"), "DDS"),
        (
            "apples_png",
            file(picture(), "PNG").replace(b"\0\0\0\rIHDR", b"\0\0\0\4CgBI\x50\0\x20\2+\xd5\xb3\x7f\0\0\0\rIHDR"),
            "CgBI",
        ),
        ("mp4", b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + bytes(100), "video"),
        ("quicktime", b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + bytes(100), "video"),
        ("matroska", b"\x1aE\xdf\xa3" + bytes(100), "video"),
        ("avi", b"RIFF\0\1\0\0AVI LIST" + bytes(100), "video"),
        ("webp-animated", file(frames[0], "WEBP", save_all=True, append_images=frames[1:]), "animated"),
        ("png-animated", file(frames[0], "PNG", save_all=True, append_images=frames[1:]), "animated"),
        ("avif-animated", file(frames[0], "AVIF", save_all=True, append_images=frames[1:], speed=10), "animated"),
    ):
        yield OddPicture(name, data, NOT_READ, says=says)


def all_of_them() -> list[OddPicture]:
    return [*jpegs(), *pngs(), *others(), *sizes(), *cut(), *not_read()]


def expected(case: OddPicture) -> NDArray[np.intp]:
    """The colours (4, 3) of the corners, as they should be read."""
    if not case.grey:
        return CORNERS
    return np.asarray(picture().convert("L"))[[0, 0, -1, -1], [0, -1, 0, -1]].astype(np.intp)[:, None].repeat(3, 1)
