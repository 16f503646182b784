"""COCO's JSON of keypoints: images, annotations, and a category with the joints and bones of the layout."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from deephar.formats.aside import Aside
from deephar.formats.format import Layout
from deephar.formats.poses import Poses, rounded, rounded_score

SEEN_FROM = 0.2  # score from which a joint is visible (2); one below it is there, but perhaps hidden (1)
_CATEGORY_ID = 1


class CocoWriter:
    """Annotations as they come; the list of images waits on disk for the end."""

    def __init__(self, layout: Layout, _: int | None) -> None:
        self._layout = layout
        self._images = Aside()
        self._taken_ids: set[int] = set()  # of pictures
        self._frames = self._people = 0

    def begin(self) -> str:
        category = {
            "id": _CATEGORY_ID,
            "name": "person",
            "supercategory": "person",
            "keypoints": list(self._layout["joints"]),
            "skeleton": [[a + 1, b + 1] for a, b in self._layout["edges"]],  # COCO counts from 1
        }
        info = {"description": f"deephar-serve, layout {self._layout['name']}"}
        return f'{{"info": {json.dumps(info)}, "categories": [{json.dumps(category)}], "annotations": ['

    def add(self, poses: Poses) -> str:
        self._frames += 1
        image_id = self._frames if poses.time_s is not None else self._picture_id(poses.file_name)
        image = {"id": image_id, "file_name": _file_name(poses), "width": poses.width, "height": poses.height}
        if poses.time_s is not None:
            image |= {"frame_id": poses.frame_id, "time_s": poses.time_s}
        self._images.write(("" if self._frames == 1 else ",\n") + json.dumps(image))
        return "".join(self._annotation(person, image_id) for person in poses.people)

    def end(self) -> Iterator[str]:
        yield '\n], "images": [\n'
        images = self._images.from_the_start()
        while part := images.read(2**16):
            yield part
        yield "\n]}\n"

    def close(self) -> None:
        self._images.close()

    def _picture_id(self, file_name: str | None) -> int:
        """Returns the number that a picture's name is, as COCO's own names are; otherwise the next free one."""
        stem = PurePath(file_name or "").stem
        number = int(stem) if stem.isascii() and stem.isdigit() and len(stem) <= 15 else self._frames
        while number in self._taken_ids:
            number += 1
        self._taken_ids.add(number)
        return number

    def _annotation(self, person: Mapping[str, Any], image_id: int) -> str:
        self._people += 1
        joints = person["keypoints"]
        box = [rounded(number) for number in person["box"]]
        annotation = {
            "id": self._people,
            "image_id": image_id,
            "category_id": _CATEGORY_ID,
            "iscrowd": 0,
            "bbox": box,
            "area": rounded(box[2] * box[3]),
            "num_keypoints": sum(joint["x"] is not None for joint in joints),
            "keypoints": [number for joint in joints for number in _numbers(joint)],
            "keypoint_scores": [rounded_score(joint["score"]) for joint in joints],
            "score": rounded_score(person["score"]),
        }
        if person.get("id") is not None:
            annotation["track_id"] = person["id"]
        return ("\n" if self._people == 1 else ",\n") + json.dumps(annotation)


def _numbers(joint: Mapping[str, Any]) -> tuple[float, float, int]:
    """Returns x, y and the flag of visibility: 0 where the joint is missing."""
    if joint["x"] is None:
        return 0, 0, 0
    return rounded(joint["x"]), rounded(joint["y"]), 2 if joint["score"] >= SEEN_FROM else 1


def _file_name(poses: Poses) -> str:
    """Returns the name of a picture; of a frame that of the picture that ffmpeg makes of it, counted from 0."""
    if poses.time_s is None:
        return poses.file_name or f"{poses.frame_id:06d}.jpg"
    return f"{PurePath(poses.file_name or 'frame').stem}_{poses.frame_id:06d}.jpg"
