"""One person followed through a whole sequence: a box for each frame.

Detections are linked to tracks by overlap, forwards in time. The person is the track with the most of size times score
over its frames: somebody large who is there from the beginning to the end, not a passer-by or a wrong box. Tracks that
begin before or after it, as a fast movement breaks one, go on with the person where they are of a like size and close.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from models.datasets.detection.detector import Detections
from models.datasets.samples import Bools, Floats
from service.vision.boxes import iou

LINKED = 0.3  # IoU of two boxes of one track
LONGEST_GAP = 12  # frames without a detection that a track survives
NEAR = 1.0  # distance of a track's end from the next one's beginning, over the longer side
ALIKE = 1.6  # factor between the longer sides of the two


@dataclass(frozen=True, eq=False)
class Followed:
    """The person's boxes."""

    boxes: Floats  # (T, 4), x, y, width, height in pixels; where the person is not found, the nearest frame's
    found: Bools  # (T,)


@dataclass
class _Track:
    frames: list[int] = field(default_factory=list)
    boxes: list[Floats] = field(default_factory=list)
    weight: float = 0.0  # sum of size times score

    def add(self, frame: int, box: Floats, score: float) -> None:
        self.frames.append(frame)
        self.boxes.append(box)
        self.weight += score * float(np.sqrt(box[2] * box[3]))


def follow(detections: Sequence[Detections]) -> Followed | None:
    """The person through all frames; None where nobody is found in any.

    Args:
        detections: Of each frame.
    """
    tracks = _linked(detections)
    if not tracks:
        return None
    main = max(tracks, key=lambda track: track.weight)
    person = dict(zip(main.frames, main.boxes, strict=True))
    for track in sorted(tracks, key=lambda track: -track.weight):
        if _goes_on(person, track):
            person |= zip(track.frames, track.boxes, strict=True)
    frames = np.array(sorted(person))
    found = np.zeros(len(detections), bool)
    found[frames] = True
    nearest = frames[np.abs(np.arange(len(detections))[:, None] - frames).argmin(axis=1)]
    return Followed(np.stack([person[frame] for frame in nearest.tolist()]), found)


def _linked(detections: Sequence[Detections]) -> list[_Track]:
    tracks: list[_Track] = []
    for frame, found in enumerate(detections):
        live = [track for track in tracks if frame - track.frames[-1] <= LONGEST_GAP]
        last = np.array([track.boxes[-1] for track in live]).reshape(-1, 4)
        overlaps = iou(last, found.boxes)
        free = set(range(len(found.boxes)))
        while overlaps.size and overlaps.max() >= LINKED:  # the best pair first
            which, box = divmod(int(overlaps.argmax()), overlaps.shape[1])
            live[which].add(frame, found.boxes[box], float(found.scores[box]))
            free.discard(box)
            overlaps[which, :], overlaps[:, box] = -1, -1
        for box in sorted(free):
            tracks.append(_Track())
            tracks[-1].add(frame, found.boxes[box], float(found.scores[box]))
    return tracks


def _goes_on(person: dict[int, Floats], track: _Track) -> bool:
    """Whether a track lies beside the person's frames in time, and begins or ends near where they are."""
    if person.keys() & set(track.frames):
        return False
    before = max((frame for frame in person if frame < track.frames[0]), default=None)
    after = min((frame for frame in person if frame > track.frames[-1]), default=None)
    joints = [(before, track.boxes[0]), (after, track.boxes[-1])]
    return all(_near(person[frame], box) for frame, box in joints if frame is not None)


def _near(a: Floats, b: Floats) -> bool:
    longer = max(a[2:].max(), b[2:].max())
    distance = float(np.linalg.norm(a[:2] + a[2:] / 2 - b[:2] - b[2:] / 2))
    alike = longer <= ALIKE * min(a[2:].max(), b[2:].max())
    return bool(alike and distance <= NEAR * longer)
