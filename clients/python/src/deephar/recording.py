"""A video file of pictures that are drawn one after another. Needs PyAV, and OpenCV where their sizes differ."""

from __future__ import annotations

from os import PathLike
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from deephar.annotated import AnnotatedVideo


class Recording:
    """A video file of pictures as they are drawn. It is begun with the first one.

    Args:
        target: The file.
        audio_from: A video whose sound is kept.
    """

    def __init__(self, target: str | PathLike[str], audio_from: str | PathLike[str] | None = None) -> None:
        self._target, self._audio_from = target, audio_from
        self._video: AnnotatedVideo | None = None
        self._size = (0, 0)
        self._start_s = self._last_s = 0.0

    def write(self, picture: NDArray[np.uint8], time_s: float) -> None:
        """Adds a picture. One of another size than the first is scaled; one that is not later is left out."""
        if self._video is None:
            from deephar.annotated import AnnotatedVideo

            self._size = picture.shape[1], picture.shape[0]
            self._start_s = time_s
            self._video = AnnotatedVideo(self._target, self._size, audio_from=self._audio_from)
        elif time_s <= self._last_s:
            return
        if picture.shape[1::-1] != self._size:
            import cv2

            picture = cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA)
        self._video.write(picture, time_s - self._start_s)
        self._last_s = time_s

    def finish(self) -> bool:
        """Ends the file. Returns whether there is one."""
        if self._video is None:
            return False
        self._video.finish()
        return True
