"""Tracks people through a video.

Detections that match a track move its crop. A track without a matching detection is propagated from its own keypoints,
and so is the main person where the repository has no detector.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from service.networks.catalogue import Model
from service.networks.frame import FrameInference, FrameOutput
from service.people.association import matched
from service.people.detector import Detection
from service.people.keypoint_search import MIN_PERSON_SCORE, person_box
from service.people.search import PeopleSearch, body_crop
from service.vision.boxes import Box, as_rows, iou
from service.vision.crops import DETECTED, PROPAGATED, CropWindow, Image, crop_window_around, moved

DETECT_EVERY_S = 0.2
SEARCH_EVERY_S = 0.5  # between two keypoint searches while there is no track: each is a batch of crops
ROUNDING_S = 0.01  # of time stamps
MIN_IOU = 0.3  # of a detection and the track that it matches
MAX_MISSES = 5  # detector runs without a match before a low-confidence track is dropped
LOW_CONFIDENCE = 0.5  # mean keypoint score
LOST = 0.1  # mean keypoint score under which a track is dropped that the last detector run matched
MAIN_PERSON = 1  # id
SAME_POSE = 0.1  # mean keypoint distance of two tracks over the person's size: one of them is a duplicate


@dataclass
class Track:
    id: int
    crop_window: CropWindow
    box: Box  # of the last matching detection or, without one, of the keypoints
    misses: int = 0  # detector runs in a row without a match
    score: float = 1.0  # mean of the keypoints


@dataclass(frozen=True)
class TrackedPerson:
    """A track in the present frame, with the frame network's output for its crop."""

    id: int
    output: FrameOutput


class PeopleTracker:
    """At most `limit` tracks. `main_only` keeps one, whose id stays 1 also after it was lost and found again."""

    def __init__(
        self,
        inference: FrameInference,
        search: PeopleSearch,
        model: Model,
        limit: int,
        main_only: bool,
        first_box: Box | None,
    ) -> None:
        self._inference, self._search, self._model = inference, search, model
        self._limit, self._main_only = 1 if main_only else limit, main_only
        self._ids = itertools.count(1)
        self._next_detection_s = self._next_search_s = -math.inf
        self._tracks: list[Track] = []
        if first_box is not None:
            self._begin(first_box, crop_window_around(first_box, model.card.crop.margin), misses=1)

    @property
    def ids(self) -> list[int]:
        """Of the present tracks."""
        return [track.id for track in self._tracks]

    async def step(self, image: Image, time_s: float) -> list[TrackedPerson]:
        """Returns the people in the next frame, the oldest track first."""
        if time_s >= self._next_detection_s:
            self._next_detection_s = time_s + DETECT_EVERY_S - ROUNDING_S
            detections = await self._search.detect(image)
            if detections is not None:
                self._update(detections)
        if not self._tracks:
            if time_s < self._next_search_s:
                return []
            self._next_search_s = time_s + SEARCH_EVERY_S - ROUNDING_S
            return await self._find_undetected(image)
        output = await self._inference.run(self._model, image, [track.crop_window for track in self._tracks])
        return self._kept(output)

    def restart(self) -> None:
        """Drops all tracks: the scene is another one."""
        self._tracks = []
        self._next_detection_s = self._next_search_s = -math.inf

    def _begin(self, box: Box, crop_window: CropWindow, misses: int) -> Track:
        track = Track(MAIN_PERSON if self._main_only else next(self._ids), crop_window, box, misses)
        self._tracks.append(track)
        return track

    async def _find_undetected(self, image: Image) -> list[TrackedPerson]:
        found = await self._search.find_undetected(self._model, image)
        if found is None:
            return []
        crop_window = found.crop_windows[0]
        track = self._begin(
            person_box(found, 0) or crop_window.as_box(), self._propagated(crop_window, found), misses=1
        )
        return [TrackedPerson(track.id, found)]

    def _update(self, detections: list[Detection]) -> None:
        """Matches detections with tracks, drops low-confidence tracks, begins tracks of new people."""
        matches = matched([track.box for track in self._tracks], [detection.box for detection in detections], MIN_IOU)
        for i, track in enumerate(self._tracks):
            if i not in matches:
                track.misses += 1
                continue
            box = detections[matches[i]].box
            wanted = body_crop(box, self._model.card.crop.margin)
            track.crop_window = moved(track.crop_window, wanted, DETECTED)
            track.box, track.misses = box, 0
        self._tracks = [t for t in self._tracks if t.misses < MAX_MISSES or t.score >= LOW_CONFIDENCE]
        taken = set(matches.values())
        overlaps = iou(as_rows([d.box for d in detections]), as_rows([track.box for track in self._tracks]))
        nearest = overlaps.max(axis=1, initial=0.0)  # IoU of each detection with the track that it overlaps most
        new = [detection for i, detection in enumerate(detections) if i not in taken and nearest[i] < MIN_IOU]
        if self._main_only:
            new.sort(key=lambda detection: detection.score * detection.box.height, reverse=True)
        for detection in new[: self._limit - len(self._tracks)]:
            self._begin(detection.box, body_crop(detection.box, self._model.card.crop.margin), misses=0)

    def _kept(self, output: FrameOutput) -> list[TrackedPerson]:
        """Drops tracks whose person is gone, and duplicates; propagates those without a match."""
        seen: list[TrackedPerson] = []
        kept: list[Track] = []
        for i, track in enumerate(self._tracks):
            one = output.only(i)
            track.score = float(one.person_scores()[0])
            gone = track.score < (MIN_PERSON_SCORE if track.misses else LOST)
            if gone or any(_same_pose(one, other.output) for other in seen):
                continue
            if track.misses:
                track.crop_window = self._propagated(track.crop_window, one)
                track.box = person_box(one, 0) or track.box
            kept.append(track)
            seen.append(TrackedPerson(track.id, one))
        if len(kept) < len(self._tracks) and self._main_only:
            self._next_detection_s = -math.inf
        self._tracks = kept
        return seen

    def _propagated(self, crop_window: CropWindow, output: FrameOutput) -> CropWindow:
        box = person_box(output, 0)
        if box is None:
            return crop_window
        return moved(crop_window, crop_window_around(box, self._model.card.crop.margin), PROPAGATED)


def _same_pose(a: FrameOutput, b: FrameOutput) -> bool:
    distance = np.linalg.norm(a.keypoints_px[0] - b.keypoints_px[0], axis=-1).mean()
    size = np.ptp(b.keypoints_px[0], axis=0).max()
    return bool(distance < SAME_POSE * max(float(size), 1.0))
