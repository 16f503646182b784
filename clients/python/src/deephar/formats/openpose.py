"""OpenPose's JSON: a document for each picture or frame, each a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from deephar.formats.format import Layout
from deephar.formats.poses import Poses, rounded, rounded_score
from deephar.formats.space import places_mm

VERSION = 1.3
_EMPTY = ("face", "hand_left", "hand_right")


class OpenPoseWriter:
    """A line for each picture or frame. Missing joints are 0, 0 with score 0."""

    def __init__(self, layout: Layout, _: int | None) -> None:
        self._has_depth = "z" in layout["units"]

    def begin(self) -> str:
        return ""

    def add(self, poses: Poses) -> str:
        document: dict[str, Any] = {"version": VERSION}
        if poses.file_name is not None:
            document["file_name"] = poses.file_name
        if poses.time_s is not None:
            document |= {"frame_id": poses.frame_id, "time_s": poses.time_s}
        document["people"] = [self._person(person) for person in poses.people]
        return json.dumps(document) + "\n"

    def end(self) -> Iterator[str]:
        return iter(())

    def close(self) -> None:
        pass

    def _person(self, person: Mapping[str, Any]) -> dict[str, Any]:
        joints = person["keypoints"]
        person_id = person.get("id")
        written: dict[str, Any] = {"person_id": [-1 if person_id is None else person_id]}
        flat = [_numbers((joint["x"], joint["y"]), 2, joint["score"]) for joint in joints]
        written["pose_keypoints_2d"] = [number for numbers in flat for number in numbers]
        written |= {f"{part}_keypoints_2d": [] for part in _EMPTY}
        places = places_mm(person) if self._has_depth else []
        deep = [_numbers(place, 3, joint["score"]) for place, joint in zip(places, joints, strict=False)]
        written["pose_keypoints_3d"] = [number for numbers in deep for number in numbers]
        return written | {f"{part}_keypoints_3d": [] for part in _EMPTY}


def _numbers(place: tuple[float | None, ...] | None, dims: int, score: float) -> list[float]:
    """Returns the coordinates of a joint and its score; zeros where it is missing."""
    if place is None or place[0] is None:
        return [0.0] * (dims + 1)
    return [*(rounded(number) for number in place if number is not None), rounded_score(score)]
