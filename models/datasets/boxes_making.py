"""Makes the boxes of a data set of sequences by the detector, and goes on where it was stopped."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.datasets.boxes import PLACES, clip_key
from models.datasets.detection.detector import Detections, PersonDetector
from models.datasets.detection.following import follow
from models.datasets.problem import DataProblem
from models.datasets.samples import Clip, Dataset, Pixels
from models.files.whole_file import write_whole
from models.protocol.boxes import POSE_MARGIN
from models.protocol.clips import multi_clip
from models.protocol.window import Window, union
from service.vision.crops import JOINTS_OVER_BODY

MARGIN = POSE_MARGIN * JOINTS_OVER_BODY  # the protocols' boxes are around joints, detected ones around the whole body
BATCH = 32
CLIP, SUBSAMPLING = 16, 2  # of the merge protocol of Penn Action
UNFINISHED = ".unfinished"  # added to the name of a file that is not finished


@dataclass(frozen=True)
class SequenceBoxes:
    """One sequence as it stands in the unfinished file, one a line."""

    split: str
    index: int  # in the split
    sequence: str
    boxes: list[list[int]]  # x1, y1, x2, y2 of each frame
    found: int  # frames in which the person was detected

    @property
    def is_whole_image(self) -> bool:
        """Whether nobody was found in any frame."""
        return self.found == 0


class UnfinishedBoxes:
    """The file in which the boxes gather: a line that says what they are made of, and then one a sequence.

    Args:
        file: That it will become.
        made_of: Data and detector; an unfinished file of others is refused.

    Raises:
        DataProblem: It belongs to others.
    """

    def __init__(self, file: Path, made_of: dict[str, Any]) -> None:
        self.file = file.with_name(file.name + UNFINISHED)
        file.parent.mkdir(parents=True, exist_ok=True)
        self._stream = self.file.open("a")
        try:
            self._begin(json.dumps(made_of, sort_keys=True))
        except BaseException:
            self._stream.close()
            raise
        self.done = {(row.split, row.index) for row in self.rows()}

    def _begin(self, head: str) -> None:
        try:
            fcntl.flock(self._stream, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it ends with the process
        except BlockingIOError:
            raise DataProblem(f"{self.file} is being written by another process") from None
        if not self._cut():
            print(head, file=self._stream, flush=True)
        elif self._head() != head:
            raise DataProblem(
                f"{self.file} was begun with other data, another split or another detector: name another --out or "
                "delete it"
            )

    def add(self, row: SequenceBoxes) -> None:
        self._stream.write(json.dumps(row.__dict__) + "\n")
        self._stream.flush()
        self.done.add((row.split, row.index))

    def rows(self) -> Iterator[SequenceBoxes]:
        with self.file.open() as lines:
            next(lines)
            for line in lines:
                yield SequenceBoxes(**json.loads(line))

    def close(self) -> None:
        self._stream.close()

    def _head(self) -> str:
        with self.file.open() as lines:
            return next(lines).rstrip("\n")

    def _cut(self) -> bool:
        """Drops the last line where its end was not written. Returns whether a line remains."""
        with self.file.open("r+b") as stream:
            end = stream.seek(0, os.SEEK_END)
            tail = b""
            while end > 0 and b"\n" not in tail:
                start = max(0, end - (1 << 16))
                stream.seek(start)
                tail = stream.read(end - start)
                end = start
            kept = end + tail.rfind(b"\n") + 1
            stream.truncate(kept)
        return kept > 0


def boxes_of(clip: Clip, detector: PersonDetector, pool: ThreadPoolExecutor) -> tuple[list[Window], int]:
    """Windows of all frames of a sequence, and in how many of them the person was detected.

    Raises:
        DataProblem: A frame cannot be read.
    """
    followed = follow(_detected(clip, detector, pool))
    if followed is None:
        return [Window.of_whole_image(*clip.image_size)] * clip.frames, 0
    windows = [
        Window.from_corners(x, y, x + width, y + height).enlarged_square(MARGIN).cut_to_pixels()
        for x, y, width, height in followed.boxes.tolist()
    ]
    return windows, int(followed.found.sum())


def _detected(clip: Clip, detector: PersonDetector, pool: ThreadPoolExecutor) -> list[Detections]:
    """Detections in all frames; while a batch is computed, the next one is read."""

    def look(frame: int) -> tuple[Pixels, tuple[int, int]]:
        picture = clip.read(frame)
        return detector.look(picture), (picture.shape[1], picture.shape[0])

    def begin(start: int) -> list[Future[tuple[Pixels, tuple[int, int]]]]:
        return [pool.submit(look, frame) for frame in range(start, min(start + BATCH, clip.frames))]

    found: list[Detections] = []
    reading = begin(0)
    for start in range(0, clip.frames, BATCH):
        following = begin(start + BATCH)
        looks, sizes = zip(*(future.result() for future in reading), strict=True)
        found += detector.detect(looks, sizes)
        reading = following
    return found


def make(
    splits: Sequence[Dataset[Clip]],
    detector: PersonDetector,
    unfinished: UnfinishedBoxes,
    tell: Callable[[], object],
) -> list[str]:
    """Makes the boxes that are not there yet.

    Args:
        splits: Of the data set.
        detector: That finds people.
        unfinished: Has the boxes so far, and gets the others.
        tell: Called after each sequence.

    Returns:
        Why sequences could not be read.
    """
    failed = []
    with ThreadPoolExecutor(2) as pool:
        for dataset in splits:
            for index in range(len(dataset)):
                if (dataset.split, index) in unfinished.done:
                    continue
                try:
                    clip = dataset[index]
                    windows, found = boxes_of(clip, detector, pool)
                except DataProblem as problem:
                    failed.append(str(problem))
                else:
                    boxes = [[int(corner) for corner in window.corners] for window in windows]
                    unfinished.add(SequenceBoxes(dataset.split, index, clip.key, boxes, found))
                tell()
    return failed


def write_as_published(unfinished: UnfinishedBoxes, frames_file: Path, clips_file: Path) -> None:
    """Writes the boxes as deephar's authors published theirs: of frames, and of the test split's clips."""
    of_frames: list[dict[str, list[int]]] = [{} for _ in PLACES]
    of_clips: dict[str, list[int]] = {}
    for row in unfinished.rows():
        part = of_frames[PLACES[row.split]]
        part |= {f"{row.index}.{frame}": box for frame, box in enumerate(row.boxes)}
        if row.split != "test":
            continue
        for frames in multi_clip(len(row.boxes), CLIP, SUBSAMPLING):
            box = [int(corner) for corner in union(Window.from_corners(*row.boxes[f]) for f in frames).corners]
            of_clips |= {str(clip_key(str(row.index), frames, mirror)): box for mirror in (False, True)}
    write_whole(frames_file, json.dumps(of_frames).encode())
    if of_clips:
        write_whole(clips_file, json.dumps(of_clips).encode())
