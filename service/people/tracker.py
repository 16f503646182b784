"""Tracks people through a video.

Detections that match a track move its crop. A track without a matching detection is propagated from its own keypoints,
and so is the main person where the repository has no detector. Poses are assigned to tracks by position and pose: where
two people cross, both crops may show the one in front. The track that matches this pose less is then hidden, until its
person is detected again.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace

from service.networks.frame import FrameInference, FrameOutput
from service.networks.model import Model
from service.people.association import MIN_IOU, detections_of_tracks, hidden_tracks_of, poses_of_tracks, seen_whole
from service.people.detector import Detection
from service.people.keypoint_search import MIN_PERSON_SCORE, person_box
from service.people.schedule import ROUNDING_S, DetectionSchedule
from service.people.search import PeopleSearch, body_crop
from service.people.track import CONFIRMED, LONGEST_HIDDEN_S, Place, Track
from service.vision.boxes import Box, as_rows, iou
from service.vision.crops import DETECTED, PROPAGATED, CropWindow, crop_window_around, moved
from service.vision.picture import Picture

SEARCH_EVERY_S = 0.5  # between two keypoint searches while there is no track: each is a batch of crops
MAX_MISSES = 5  # detector runs without a match before a low-confidence track is dropped
LOW_CONFIDENCE = 0.5  # mean keypoint score
LOST = 0.1  # mean keypoint score under which a track is dropped that the last detector run matched
MAIN_PERSON = 1  # id


@dataclass(frozen=True)
class TrackedPerson:
    """A track in the present frame, with the frame network's output for its crop."""

    id: int
    output: FrameOutput


class PeopleTracker:
    """At most `limit` tracks. `main_only` keeps one, whose id stays 1 also after it was lost and found again.

    The schedule is shared with who runs the detector ahead of `step`.
    """

    def __init__(
        self,
        inference: FrameInference,
        search: PeopleSearch,
        schedule: DetectionSchedule,
        model: Model,
        limit: int,
        main_only: bool,
        first_box: Box | None,
    ) -> None:
        self._inference, self._search, self._schedule, self._model = inference, search, schedule, model
        self._limit, self._main_only = 1 if main_only else limit, main_only
        self._ids = itertools.count(1)
        self._next_search_s = -math.inf
        self._tracks: list[Track] = []
        if first_box is not None:
            self._begin(Place(crop_window_around(first_box, model.card.crop.margin), first_box, -math.inf, misses=1))

    @property
    def ids(self) -> list[int]:
        """Of the present tracks, also of hidden ones."""
        return [track.id for track in self._tracks]

    @property
    def crop_windows(self) -> list[CropWindow]:
        """Of the people who were seen in the last frame."""
        return [track.place.crop_window for track in self._shown()]

    async def step(
        self, picture: Picture, time_s: float, detections: list[Detection] | None = None
    ) -> list[TrackedPerson]:
        """Returns the people in the next frame, the oldest track first.

        Args:
            picture: The frame.
            time_s: Its media time.
            detections: Of the frame, where the detector has run already; otherwise it is run here if it is due.
        """
        self._tracks = [t for t in self._tracks if not t.hidden or time_s - t.seen_s <= LONGEST_HIDDEN_S]
        if detections is None and self._schedule.due(time_s):
            detections = await self._search.detect(picture)
        if detections is not None:
            self._update(detections, time_s)
        shown = self._shown()
        self._schedule.people = self._settled()
        if not shown:
            has_looked = detections is not None or not self._search.has_detector
            if time_s < self._next_search_s or not has_looked:
                return []
            self._next_search_s = time_s + SEARCH_EVERY_S - ROUNDING_S
            return await self._find_undetected(picture, time_s)
        output = await self._inference.run(self._model, picture, [track.place.crop_window for track in shown])
        return self._seen(shown, output, time_s)

    def restart(self) -> None:
        """Drops all tracks: the scene is another one."""
        self._tracks = []
        self._next_search_s = -math.inf

    def _shown(self) -> list[Track]:
        return [track for track in self._tracks if not track.hidden]

    def _settled(self) -> list[Box] | None:
        """Returns the boxes of all tracks if the detector has just seen each; otherwise None."""
        places = [track.place for track in self._tracks]
        if any(track.hidden for track in self._tracks) or any(place.misses for place in places):
            return None
        return [place.box for place in places]

    def _hidden(self) -> list[Track]:
        return [track for track in self._tracks if track.hidden]

    def _begin(self, place: Place) -> Track:
        track = Track(MAIN_PERSON if self._main_only else next(self._ids), place)
        self._tracks.append(track)
        return track

    def _begin_or_resume(self, places: list[Place], time_s: float) -> list[Track]:
        """Returns the tracks of people who were not seen in the last frame: hidden ones, or new ones."""
        hidden = hidden_tracks_of([place.box for place in places], self._hidden(), time_s)
        for i, track in hidden.items():
            track.hidden, track.place = False, places[i]
        return [hidden[i] if i in hidden else self._begin(place) for i, place in enumerate(places)]

    def _hide(self, track: Track) -> None:
        """The person of a track is not seen: it waits for them, if they were ever more than a guess."""
        if self._main_only or track.poses < CONFIRMED:
            self._tracks.remove(track)
        else:
            track.hidden = True

    async def _find_undetected(self, picture: Picture, time_s: float) -> list[TrackedPerson]:
        found = await self._search.find_undetected(self._model, picture)
        if found is None:
            return []
        window = found.crop_windows[0]
        place = Place(self._propagated(window, found), person_box(found, 0) or window.as_box(), time_s, misses=1)
        (track,) = self._begin_or_resume([place], time_s)
        track.saw(found, time_s)
        return [TrackedPerson(track.id, found)]

    def _update(self, detections: list[Detection], time_s: float) -> None:
        """Matches detections with tracks, drops low-confidence tracks, begins tracks of new people."""
        shown, boxes = self._shown(), [detection.box for detection in detections]
        matches = detections_of_tracks(shown, boxes, time_s)
        margin = self._model.card.crop.margin
        for i, track in enumerate(shown):
            place = track.place
            if i in matches:
                box = boxes[matches[i]]
                track.place = Place(moved(place.crop_window, body_crop(box, margin), DETECTED), box, time_s, misses=0)
            else:
                track.place = replace(place, misses=place.misses + 1)
                if track.place.misses >= MAX_MISSES and track.score < LOW_CONFIDENCE:
                    self._tracks.remove(track)
        taken = set(matches.values())
        nearest = iou(as_rows(boxes), as_rows([t.place.box for t in self._shown()])).max(axis=1, initial=0.0)
        new = [d for i, d in enumerate(detections) if i not in taken and nearest[i] < MIN_IOU]
        if self._main_only:
            new.sort(key=lambda detection: detection.score * detection.box.height, reverse=True)
        new = new[: self._limit - len(self._shown())]
        self._begin_or_resume([Place(body_crop(d.box, margin), d.box, time_s, misses=0) for d in new], time_s)

    def _seen(self, shown: list[Track], output: FrameOutput, time_s: float) -> list[TrackedPerson]:
        """Gives each track its pose, propagates those without a detection, hides those whose person is not seen."""
        poses, places = [output.only(i) for i in range(len(shown))], [track.place for track in shown]
        whole, matches = seen_whole(shown, time_s), poses_of_tracks(shown, output.keypoints_px, time_s)
        seen: list[TrackedPerson] = []
        for i, track in enumerate(shown):
            if i not in matches:
                self._hide(track)
                continue
            pose, place = poses[matches[i]], places[matches[i]]
            track.score, track.place = float(pose.person_scores()[0]), place
            if track.score < (MIN_PERSON_SCORE if place.misses else LOST):
                self._hide(track)
                continue
            track.saw(pose, time_s, whole[i])
            if place.misses and (box := person_box(pose, 0)) is not None:
                track.place = Place(self._propagated(place.crop_window, pose), box, time_s, place.misses)
            seen.append(TrackedPerson(track.id, pose))
        if len(seen) < len(shown) and self._main_only:
            self._schedule.at_once()
        return seen

    def _propagated(self, crop_window: CropWindow, output: FrameOutput) -> CropWindow:
        box = person_box(output, 0)
        if box is None:
            return crop_window
        return moved(crop_window, crop_window_around(box, self._model.card.crop.margin), PROPAGATED)
