"""Pixels as JPEG, by PyAV: what is sent of videos and cameras, whose raw frames no network would carry."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import av
    import numpy as np
    from numpy.typing import NDArray

BEST = 2  # of FFmpeg's qualities: 40 times smaller than the pixels, at over 40 dB
_PIXELS = "yuvj420p"


class JpegEncoder:
    """Encodes pictures one after another. Needs PyAV and NumPy.

    Args:
        quality: FFmpeg's scale, from 2 (best) to 31 (worst).
    """

    def __init__(self, quality: int = BEST) -> None:
        self._quality = quality
        self._size = (0, 0)
        self._codec: av.VideoCodecContext | None = None  # for pictures of this size

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """Returns the JPEG of pixels (H, W, 3) in RGB."""
        import av

        size = pixels.shape[1], pixels.shape[0]
        if self._codec is None or size != self._size:
            self._codec, self._size = _codec(size, self._quality), size
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=_PIXELS)
        return b"".join(bytes(packet) for packet in self._codec.encode(picture))


def _codec(size: tuple[int, int], quality: int) -> av.VideoCodecContext:
    import av

    codec = av.CodecContext.create("mjpeg", "w")
    codec.width, codec.height, codec.pix_fmt = *size, _PIXELS
    codec.time_base = Fraction(1, 25)
    codec.options = {"qscale": str(quality)}
    codec.qmin = codec.qmax = quality
    return codec
