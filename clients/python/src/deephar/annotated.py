"""Videos with what was recognized drawn in: H.264 in fragmented MP4, written as the frames come. Needs PyAV and NumPy."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

import numpy as np

if TYPE_CHECKING:
    from os import PathLike

    from av.container import InputContainer
    from numpy.typing import NDArray

_TICKS = 90_000  # a second, in which frames' times are written
_KEYFRAME_S = 1.0  # between two pictures that can be decoded alone: what is held back, and what is lost at a cut
_THREADS = 2
# Zero latency: no frame waits for later ones, which would cost memory.
_X264 = {"preset": "veryfast", "tune": "zerolatency", "crf": "23", "threads": str(_THREADS)}
_FRAGMENTS = "frag_keyframe+empty_moov+default_base_moof"
_DELAYED = "+delay_moov"  # for sound whose header is known only with its first packet
_BT709 = 1  # FFmpeg's number of it, for the matrix, the primaries and the transfer curve
_DEFAULT_RATE = 25.0


class AnnotatedVideo:
    """A fragmented MP4 file of H.264 and of a source's sound, as it is made.

    Nothing is held but the fragment that is being made, about a second. What has been written can be played whenever
    the rest is missing. Leaving the context finishes the video; leaving it with an error leaves it as it is.

    Args:
        sink: A path, or a file that is open for writing; it need not be seekable, and is not closed.
        size: Width and height of the frames. Odd ones are rounded up, with the last row or column once more.
        rate: Frames a second, as far as it is known; frames may have any times. None: unknown.
        audio_from: The source whose sound is kept: a path, or an open container of its own, which nothing else reads.
            Its first picture has time 0.
    """

    def __init__(
        self,
        sink: str | PathLike[str] | BinaryIO,
        size: tuple[int, int],
        rate: float | None = None,
        audio_from: str | PathLike[str] | InputContainer | None = None,
    ) -> None:
        raise NotImplementedError

    def write(self, image: NDArray[np.uint8], time_s: float) -> None:
        """Encodes the next frame, and the sound up to it.

        Args:
            image: (H, W, 3), RGB, of the video's size.
            time_s: Since the first frame; it rises from frame to frame.

        Raises:
            ValueError: The frame has another size, or a time that is not later than that of the frame before.
            OSError: The sink cannot be written to.
        """
        raise NotImplementedError

    def finish(self) -> None:
        """Writes what is left, with the sound after the last frame, and ends the video."""
        raise NotImplementedError

    def close(self) -> None:
        """Frees everything, and writes no more; without effect on a finished video."""
        raise NotImplementedError
