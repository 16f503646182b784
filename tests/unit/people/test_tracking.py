"""The tracker on a frame network and a detector whose answers are made up here."""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import numpy as np
import pytest

from service.networks.card import Card
from service.networks.frame import FrameOutput
from service.networks.model import Model
from service.people.detector import Detection
from service.people.schedule import DETECT_EVERY_S, DetectionSchedule
from service.people.tracker import PeopleTracker, TrackedPerson
from service.vision.boxes import Box
from service.vision.crops import CropWindow, crop_window_around
from service.vision.picture import Picture

IMAGE = Picture.of(np.zeros((200, 400, 3), np.uint8))
CARD = Card.model_validate(
    {
        "model": "made_up",
        "description": "",
        "layout": "pa16",
        "dims": 2,
        "crop": {"size": 128, "margin": 1.15},
        "weights": "",
        "weights_sha256": "",
        "licence": "",
    }
)
MODEL = Model(CARD, "1", True, 32)
BODY = np.random.default_rng(1).uniform(0, 1, (16, 2)).astype(np.float32)
BODY[:2] = [[0, 0], [1, 1]]


class World:
    """People are boxes; the network sees whoever has their middle in a window, the detector everybody."""

    def __init__(self, people: list[Box]) -> None:
        self.people, self.searches = people, 0
        self.score, self.also_detected = 0.8, list[Detection]()
        self.detected: bool | None = True  # None: there is no detector

    async def run(self, model: Model, image: Any, crop_windows: list[CropWindow], flip: bool = False) -> FrameOutput:
        keypoints, scores = [], []
        for crop_window in crop_windows:
            x, y = crop_window.left + crop_window.side / 2, crop_window.top + crop_window.side / 2
            near = [p for p in self.people if abs(p.x + p.width / 2 - x) < p.width / 2 and p.y <= y <= p.y + p.height]
            box = near[0] if near else Box(x, y, 1, 1)
            keypoints.append(BODY * [box.width, box.height] + [box.x, box.y])
            scores.append(np.full(16, self.score if near else 0.02))
        return FrameOutput(crop_windows, np.array(keypoints, np.float32), None, np.array(scores, np.float32), None)

    async def detect(self, image: Any) -> list[Detection] | None:
        return (
            None
            if self.detected is None
            else [Detection(p, 0.9) for p in self.people if self.detected] + (self.also_detected)
        )

    @property
    def has_detector(self) -> bool:
        return self.detected is not None

    async def find_undetected(self, model: Model, image: Any) -> FrameOutput | None:
        self.searches += 1
        if not self.people:
            return None
        return await self.run(model, image, [crop_window_around(self.people[0], 1.2)])


def tracker(world: World, main_only: bool, limit: int = 5, first_box: Box | None = None) -> PeopleTracker:
    fake: Any = world  # in the places of both networks
    return PeopleTracker(fake, fake, DetectionSchedule(), MODEL, limit, main_only, first_box)


CLOCK = itertools.count(1)
DETECTOR_RUN = round(DETECT_EVERY_S / 0.1) + 1  # frames within which the detector runs for certain


def step(follower: PeopleTracker) -> list[TrackedPerson]:
    return asyncio.run(follower.step(IMAGE, next(CLOCK) * 0.1))


def ids(follower: PeopleTracker, frames: int = 1) -> list[int]:
    seen = [[one.id for one in step(follower)] for _ in range(frames)]
    return sorted(seen[-1])


SMALL, LARGE = Box(20, 50, 30, 60), Box(200, 20, 60, 150)


def test_the_main_person_is_the_larger_of_two_that_are_as_sure() -> None:
    follower = tracker(World([SMALL, LARGE]), main_only=True)
    (seen,) = step(follower)
    assert seen.id == 1
    assert seen.output.keypoints_px[0, :, 0].min() >= 200


def test_everybody_keeps_their_id_while_they_move() -> None:
    world = World([SMALL, LARGE])
    follower = tracker(world, main_only=False)
    first = {seen.id: seen.output.keypoints_px[0, 0, 0] for seen in step(follower)}
    for moved in range(12):
        world.people = [Box(SMALL.x + 3 * moved, 50, 30, 60), Box(LARGE.x + 3 * moved, 20, 60, 150)]
        last = {seen.id: seen.output.keypoints_px[0, 0, 0] for seen in step(follower)}
    assert set(first) == set(last) == {1, 2}
    assert all(last[i] - first[i] == 33 for i in first)


def test_who_comes_later_gets_a_new_id() -> None:
    world = World([SMALL])
    follower = tracker(world, main_only=False)
    assert ids(follower) == [1]
    world.people = [SMALL, LARGE]
    assert ids(follower, DETECTOR_RUN) == [1, 2]


@pytest.mark.parametrize(
    ("away_s", "returns", "expected"),
    [
        (1.5, SMALL, [1, 2]),
        (2.5, SMALL, [2, 3]),
        (1.5, Box(330, 50, 30, 60), [2, 3]),  # too far away
        (1.5, Box(20, 20, 60, 140), [2, 3]),  # too large
    ],
)
def test_who_returns_soon_to_where_they_were_keeps_the_id(away_s: float, returns: Box, expected: list[int]) -> None:
    world = World([SMALL, LARGE])
    follower = tracker(world, main_only=False)
    assert ids(follower, 5) == [1, 2]
    world.people = [LARGE]
    assert ids(follower, round(away_s / 0.1)) == [2]
    world.people = [returns, LARGE]
    assert ids(follower, DETECTOR_RUN) == expected


def test_a_hidden_track_takes_nobodys_place() -> None:
    world = World([SMALL, LARGE])
    follower = tracker(world, main_only=False, limit=2)
    assert ids(follower, 5) == [1, 2]
    world.people = [LARGE, Box(330, 50, 30, 60)]
    assert ids(follower, DETECTOR_RUN + 1) == [2, 3]


def test_a_person_seen_only_in_passing_is_not_waited_for() -> None:
    world = World([SMALL, LARGE])
    follower = tracker(world, main_only=False)
    step(follower)
    world.people = [LARGE]
    step(follower)
    assert follower.ids == [2]


@pytest.mark.parametrize("front", [0, 1])
@pytest.mark.parametrize(("step_px", "back"), [(4, False), (7, False), (12, False), (4, True), (7, True)])
def test_two_who_cross_keep_their_ids(front: int, step_px: float, back: bool) -> None:
    """The one behind is not detected there, and the network sees the one in front in both crops."""
    world = World([])
    follower = tracker(world, main_only=False)
    frames = round(300 / step_px)
    last: dict[int, float] = {}
    for i in range(frames):
        way = step_px * (min(i, frames - i) if back else i)
        people = [Box(20 + way, 40, 50, 120), Box(320 - way, 40, 50, 110)]
        people.sort(key=lambda box: box.height == 120, reverse=front == 0)
        hidden = abs(people[0].x - people[1].x) < 35
        world.people = people[:1] if hidden else people
        last = {seen.id: float(np.ptp(seen.output.keypoints_px[0, :, 1])) for seen in step(follower)}
        if i == 0:
            first = last
    assert last == first
    assert len(last) == 2


def test_no_more_people_than_asked_for() -> None:
    world = World([Box(40 * i, 50, 30, 60) for i in range(6)])
    assert len(ids(tracker(world, main_only=False, limit=3), 2 * DETECTOR_RUN)) == 3


def test_the_main_person_found_again_is_still_the_main_person() -> None:
    world = World([LARGE])
    follower = tracker(world, main_only=True)
    assert ids(follower) == [1]
    world.people = []
    world.detected = True
    assert step(follower) == []
    world.people = [SMALL]
    assert ids(follower, DETECTOR_RUN) == [1]


def test_two_windows_on_the_same_person_become_one() -> None:
    world = World([LARGE])
    follower = tracker(world, main_only=False, first_box=Box(195, 60, 70, 70))
    assert ids(follower, 2 * DETECTOR_RUN) == [1]


def test_a_box_says_whom_to_follow() -> None:
    follower = tracker(World([SMALL, LARGE]), main_only=True, first_box=SMALL)
    (seen,) = step(follower)
    assert seen.output.keypoints_px[0, :, 0].max() <= 50


@pytest.mark.parametrize("detected", [False, None])
@pytest.mark.parametrize("box", [None, LARGE])
def test_a_track_without_detections_is_propagated_from_its_keypoints(detected: bool | None, box: Box | None) -> None:
    world = World([LARGE])
    world.detected = detected
    follower = tracker(world, main_only=True, first_box=box)
    for moved in range(0, 120, 6):
        world.people = [Box(LARGE.x + moved, LARGE.y, LARGE.width, LARGE.height)]
        (seen,) = step(follower)
    assert seen.output.keypoints_px[0, 0, 0] == LARGE.x + moved
    assert abs(seen.output.crop_windows[0].left + seen.output.crop_windows[0].side / 2 - (LARGE.x + moved + 30)) < 30


def test_a_track_whose_detections_end_is_propagated_from_its_keypoints() -> None:
    world = World([LARGE])
    follower = tracker(world, main_only=True)
    step(follower)
    world.detected = False
    for moved in range(0, 120, 6):
        world.people = [Box(LARGE.x + moved, LARGE.y, LARGE.width, LARGE.height)]
        assert [seen.id for seen in step(follower)] == [1]


def test_a_track_of_low_confidence_without_detections_is_dropped() -> None:
    world = World([LARGE])
    follower = tracker(world, main_only=False)
    step(follower)
    world.detected, world.score = False, 0.35
    seen = [len(step(follower)) for _ in range(20)]
    assert seen[0] == 1
    assert world.searches > 0


def test_where_nobody_is_the_frame_network_searches_seldom() -> None:
    world = World([])
    follower = tracker(world, main_only=True)
    assert ids(follower, 20) == []  # two seconds
    assert world.searches <= 5


def test_a_second_detection_of_the_same_person_is_no_new_track() -> None:
    world = World([LARGE])
    follower = tracker(world, main_only=False)
    step(follower)
    half = Box(LARGE.x, LARGE.y, LARGE.width, 0.45 * LARGE.height)
    world.also_detected = [Detection(half, 0.6)]
    ids(follower, 2 * DETECTOR_RUN)
    world.people = [LARGE, SMALL]
    assert ids(follower, DETECTOR_RUN) == [1, 2]


def test_a_speed_is_not_believed_for_ever() -> None:
    """Somebody who walks in, and then stands beside another for long, is not looked for where they would be by now."""
    world = World([Box(20, 40, 50, 120), Box(300, 40, 50, 120)])
    follower = tracker(world, main_only=False)
    for i in range(60):
        world.people = [Box(min(20 + 15 * i, 270), 40, 50, 120), Box(300, 40, 50, 110)]
        step(follower)
    world.people = world.people[1:]
    for _ in range(8):
        step(follower)
    world.people = [*world.people, Box(20, 40, 50, 120)]
    assert 3 in ids(follower, DETECTOR_RUN), "far from there"
