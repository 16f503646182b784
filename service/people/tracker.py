"""Follows people through a video: each frame's crops come from the detector's last look, or from the last joints.

The detector looks often and keeps a crop on its person. Whom it does not see is followed by their joints, and so is the
main person where the repository has no detector.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np

from service.networks.catalogue import Model
from service.networks.frame import FrameInference, FrameOutput
from service.people.detector import Detection
from service.people.keypoint_search import NOBODY, person_box
from service.people.search import PeopleSearch, body_square
from service.vision.boxes import Box, iou
from service.vision.crops import CropWindow, Image, crop_window_around

FOLLOW_CENTRE = 0.6  # share of the way that the crop goes to where the joints say it should be
FOLLOW_SIDE = 0.3
DETECTED_CENTRE = DETECTED_SIDE = 0.8  # and to where the detector says
LOOK_EVERY_S = 0.2  # between two looks of the detector at the whole picture
SEARCH_EVERY_S = 0.5  # between two searches by the frame network, while nobody is followed: each is a batch of windows
ROUNDING_S = 0.01  # of time stamps
SAME_PERSON = 0.3  # intersection over union from which a detection is a person who is followed already
UNCONFIRMED_LOOKS = 5  # a doubtful person whom so many looks did not show is given up
DOUBTFUL = 0.5  # mean score of the joints
GONE = 0.1  # mean score under which also somebody is gone whom the last look showed
MAIN_PERSON = 1  # id
SAME_POSE = 0.1  # mean distance of two people's joints over their size: one person followed twice


@dataclass
class Track:
    id: int
    crop_window: CropWindow
    box: Box  # as last detected or, where the detector does not see the person, of the joints
    unconfirmed: int = 0  # looks that did not show the person; 0: the crop is the detector's
    score: float = 1.0


@dataclass(frozen=True)
class TrackedPerson:
    """A person in the present frame: the network's view of one window."""

    id: int
    output: FrameOutput


class PeopleTracker:
    """At most `limit` people. `main_only` keeps to one, whose id stays 1 also when they were lost and found again."""

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
        self._next_look_s = self._next_search_s = -math.inf
        self._tracks: list[Track] = []
        if first_box is not None:
            self._begin(first_box, crop_window_around(first_box, model.card.crop.margin), unconfirmed=1)

    @property
    def ids(self) -> list[int]:
        """Of the people who are followed at present."""
        return [track.id for track in self._tracks]

    async def step(self, image: Image, time_s: float) -> list[TrackedPerson]:
        """The people in the next frame, the longest followed first."""
        if time_s >= self._next_look_s:
            self._next_look_s = time_s + LOOK_EVERY_S - ROUNDING_S
            detections = await self._search.detect(image)
            if detections is not None:
                self._look(detections)
        if not self._tracks:
            if time_s < self._next_search_s:
                return []
            self._next_search_s = time_s + SEARCH_EVERY_S - ROUNDING_S
            return await self._find_undetected(image)
        output = await self._inference.run(self._model, image, [track.crop_window for track in self._tracks])
        return self._follow(await self._inference.lifted(self._model, output))

    def _begin(self, box: Box, crop_window: CropWindow, unconfirmed: int) -> Track:
        track = Track(MAIN_PERSON if self._main_only else next(self._ids), crop_window, box, unconfirmed)
        self._tracks.append(track)
        return track

    async def _find_undetected(self, image: Image) -> list[TrackedPerson]:
        found = await self._search.find_undetected(self._model, image)
        if found is None:
            return []
        crop_window = found.crop_windows[0]
        track = self._begin(
            person_box(found, 0) or crop_window.as_box(), self._by_joints(crop_window, found), unconfirmed=1
        )
        return [TrackedPerson(track.id, await self._inference.lifted(self._model, found))]

    def _look(self, detections: list[Detection]) -> None:
        """Confirms those who are followed, and begins with those who are new."""
        new = list(detections)
        for track in self._tracks:
            same = max(new, key=lambda detection: iou(detection.box, track.box), default=None)
            if same is not None and iou(same.box, track.box) >= SAME_PERSON:
                new.remove(same)
                wanted = body_square(same.box, self._model.card.crop.margin)
                track.crop_window = _towards(track.crop_window, wanted, DETECTED_CENTRE, DETECTED_SIDE)
                track.box, track.unconfirmed = same.box, 0
            else:
                track.unconfirmed += 1
        self._tracks = [t for t in self._tracks if t.unconfirmed < UNCONFIRMED_LOOKS or t.score >= DOUBTFUL]
        new = [d for d in new if all(iou(d.box, track.box) < SAME_PERSON for track in self._tracks)]
        if self._main_only:
            new.sort(key=lambda detection: detection.score * detection.box.height, reverse=True)
        for detection in new[: self._limit - len(self._tracks)]:
            self._begin(detection.box, body_square(detection.box, self._model.card.crop.margin), unconfirmed=0)

    def _follow(self, output: FrameOutput) -> list[TrackedPerson]:
        seen: list[TrackedPerson] = []
        kept: list[Track] = []
        for i, track in enumerate(self._tracks):
            one = output.only(i)
            track.score = float(one.person_scores()[0])
            gone = track.score < (NOBODY if track.unconfirmed else GONE)
            if gone or any(_same_pose(one, other.output) for other in seen):
                continue
            if track.unconfirmed:
                track.crop_window = self._by_joints(track.crop_window, one)
                track.box = person_box(one, 0) or track.box
            kept.append(track)
            seen.append(TrackedPerson(track.id, one))
        if len(kept) < len(self._tracks) and self._main_only:
            self._next_look_s = -math.inf
        self._tracks = kept
        return seen

    def _by_joints(self, crop_window: CropWindow, output: FrameOutput) -> CropWindow:
        box = person_box(output, 0)
        if box is None:
            return crop_window
        return _towards(crop_window, crop_window_around(box, self._model.card.crop.margin), FOLLOW_CENTRE, FOLLOW_SIDE)


def _towards(crop_window: CropWindow, wanted: CropWindow, share_of_centre: float, share_of_side: float) -> CropWindow:
    side = crop_window.side + share_of_side * (wanted.side - crop_window.side)
    x = crop_window.left + crop_window.side / 2
    y = crop_window.top + crop_window.side / 2
    x += share_of_centre * (wanted.left + wanted.side / 2 - x)
    y += share_of_centre * (wanted.top + wanted.side / 2 - y)
    return CropWindow(x - side / 2, y - side / 2, side)


def _same_pose(a: FrameOutput, b: FrameOutput) -> bool:
    distance = np.linalg.norm(a.keypoints_px[0] - b.keypoints_px[0], axis=-1).mean()
    size = np.ptp(b.keypoints_px[0], axis=0).max()
    return bool(distance < SAME_POSE * max(float(size), 1.0))
