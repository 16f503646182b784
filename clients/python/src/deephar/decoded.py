"""Pixels of encoded pictures, upright as the service sees them, to draw into. Needs OpenCV, and PyAV for AVIF."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from deephar.results import Size

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class NotDecoded(ValueError):
    """The service can read a picture that cannot be read here; the text says what to do."""


def decoded(content: bytes, size: Size) -> NDArray[np.uint8]:
    """Returns the pixels (H, W, 3) of a picture in RGB.

    Args:
        content: The encoded picture.
        size: That the service has seen it with.

    Raises:
        NotDecoded: It cannot be read here, or not upright.
    """
    pixels = _by_pyav(content) if content[4:8] == b"ftyp" else _by_opencv(content)
    if pixels is None or pixels.shape[1::-1] != (size.width, size.height):
        raise NotDecoded(
            "the service can read this picture, but what draws here cannot: HEIC needs to be converted to JPEG, and "
            'AVIF needs PyAV: pip install "deephar-client[video]"'
        )
    return pixels


def _by_opencv(content: bytes) -> NDArray[np.uint8] | None:
    import cv2
    import numpy as np

    pixels = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return None if pixels is None else cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB).astype(np.uint8, copy=False)


def _by_pyav(content: bytes) -> NDArray[np.uint8] | None:
    """Returns the pixels of an AVIF, which OpenCV does not turn; None also of a HEIC, whose tiles stay apart here."""
    try:
        import av
    except ModuleNotFoundError:
        return None
    from deephar.film import Film, film_of

    try:
        with av.open(io.BytesIO(content), "r") as container:
            stream = film_of(container)
            if stream is None:
                return None
            film = Film(container, stream)
            return next((film.picture(read[0]) for read in film.frames() if read is not None), None)
    except (av.FFmpegError, ValueError, OSError):  # PyAV does not know all that a HEIC says of itself
        return None
