"""PNG of pixels, without loss: by OpenCV where it is installed, which is faster, or else by the standard library."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from deephar.frames import pixels_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_FASTEST = 1  # of zlib's levels; a higher one takes longer than it saves on the way
_RGB_8_BITS = (8, 2, 0, 0, 0)


def png_of(picture: NDArray[np.uint8]) -> bytes:
    """Returns the PNG of an array (H, W, 3) of uint8 in RGB.

    Raises:
        InvalidArgument: It is no such array.
    """
    rgb, size = pixels_of(picture)
    try:
        import cv2
    except ModuleNotFoundError:
        return _by_hand(rgb, size.width, size.height)
    done, data = cv2.imencode(".png", picture[..., ::-1], [cv2.IMWRITE_PNG_COMPRESSION, _FASTEST])
    assert done
    return bytes(data)


def _by_hand(rgb: bytes, width: int, height: int) -> bytes:
    stride = 3 * width
    rows = b"".join(b"\0" + rgb[start : start + stride] for start in range(0, len(rgb), stride))
    header = struct.pack(">II5B", width, height, *_RGB_8_BITS)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, _FASTEST)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
