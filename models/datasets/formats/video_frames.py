"""Frames of videos by their number, decoded when they are asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np

from models.datasets.problem import DataProblem
from models.datasets.samples import Pixels

FARTHEST = 48  # frames that are decoded on the way to a later one; beyond, the reader looks for it in the file


class VideoFrames:
    """Reads frames. A few videos stay open, for who reads on in them; no frame is kept.

    Args:
        size: Width and height of the frames that are given; others are resized as deephar's authors did (bicubic).
        most_open: Number of videos.
    """

    def __init__(self, size: tuple[int, int], most_open: int = 4) -> None:
        self._size, self._most_open = size, most_open
        self._open: OrderedDict[Path, _Video] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, file: Path, number: int) -> Pixels:
        """The frame of this number, from 0.

        Raises:
            DataProblem: The video is missing or damaged, or has fewer frames.
        """
        with self._lock:
            video = self._open.pop(file, None) or _Video(file)
            self._open[file] = video
            while len(self._open) > self._most_open:
                self._open.popitem(last=False)
            frame = video.frame(number)
        if frame.shape[1::-1] != self._size:
            frame = np.asarray(cv2.resize(frame, self._size, interpolation=cv2.INTER_CUBIC))
        return np.ascontiguousarray(frame[..., ::-1], np.uint8)


class _Video:
    def __init__(self, file: Path) -> None:
        self._file = file
        if not file.is_file():
            raise DataProblem(f"{file} is missing")
        self._begin()

    def _begin(self) -> None:
        self._capture, self._next = cv2.VideoCapture(str(self._file)), 0
        if not self._capture.isOpened():
            raise DataProblem(f"{self._file} is no video, or is damaged: download it again")

    def frame(self, number: int) -> Pixels:
        if not self._next <= number <= self._next + FARTHEST:
            self._capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            self._next = int(self._capture.get(cv2.CAP_PROP_POS_FRAMES))
            if self._next > number:  # it found a later one only
                self._begin()
        while self._next < number:
            if not self._capture.grab():
                self._fail(number)
            self._next += 1
        read, frame = self._capture.read()
        if not read:
            self._fail(number)
        self._next += 1
        return np.asarray(frame)

    def _fail(self, number: int) -> None:
        frames = self._next
        self._begin()
        raise DataProblem(
            f"{self._file} has no frame {number + 1}, it ends after {frames}: it is cut or of another recording. "
            "Download it again"
        )
