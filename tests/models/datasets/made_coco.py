"""A tiny COCO with keypoints: annotations/person_keypoints_*.json and the pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from models.protocol.joints import COCO
from tests.models.datasets.drawn import picture, save, standing_px

NAMES = (
    "nose left_eye right_eye left_ear right_ear left_shoulder right_shoulder left_elbow right_elbow left_wrist "
    "right_wrist left_hip right_hip left_knee right_knee left_ankle right_ankle"
).split()
FACE = 5  # the first joints, which deephar's networks do not know


def make(folder: Path, train: int = 4, val: int = 4, seed: int = 1) -> None:
    """A data set of so many pictures; every second one has two people, of whom one has no keypoints."""
    for split, count, first in (("train2017", train, 100), ("val2017", val, 500)):
        _split(folder, split, count, first, np.random.default_rng(seed + first))


def _split(folder: Path, split: str, count: int, first: int, generator: np.random.Generator) -> None:
    images, annotations = [], []
    for at in range(count):
        identifier, size = first + at, (320, 240)
        pose = standing_px(COCO, (120 + 60 * (at % 2), 120), 180, generator)
        pose[:FACE] = pose[[5, 6]].mean(axis=0) + generator.normal((0, -25), 3, (FACE, 2))
        save(folder / split / f"{identifier:012d}.jpg", picture(size, COCO, [pose], generator))
        images.append({"id": identifier, "file_name": f"{identifier:012d}.jpg", "width": size[0], "height": size[1]})
        flags = np.full(len(COCO), 2)
        flags[10] = 1  # occluded
        flags[15] = 0  # not annotated
        points = np.round(pose)
        points[15] = 0
        (left, top), (right, bottom) = pose.min(axis=0) - 8, pose.max(axis=0) + 8
        annotations.append(
            _annotation(identifier * 10, identifier, [left, top, right - left, bottom - top], points, flags)
        )
        if at % 2:
            nothing = np.zeros((len(COCO), 2)), np.zeros(len(COCO), int)
            annotations.append(_annotation(identifier * 10 + 1, identifier, [1, 2, 30, 40], *nothing))
    file = folder / "annotations" / f"person_keypoints_{split}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    category = {"supercategory": "person", "id": 1, "name": "person", "keypoints": NAMES, "skeleton": [[16, 14]]}
    content = {"info": {"year": 2017}, "licenses": [], "images": images, "annotations": annotations,
               "categories": [category]}  # fmt: skip
    file.write_text(json.dumps(content))


def _annotation(identifier: int, image: int, box: list[float], points: object, flags: object) -> dict[str, object]:
    keypoints = np.concatenate([np.asarray(points), np.asarray(flags)[:, None]], axis=1)
    return {
        "segmentation": [[1.0, 1.0, 5.0, 1.0, 5.0, 5.0]], "num_keypoints": int((keypoints[:, 2] > 0).sum()),
        "area": round(box[2] * box[3] * 0.6, 2), "iscrowd": 0, "keypoints": [int(v) for v in keypoints.ravel()],
        "image_id": image, "bbox": [round(float(v), 2) for v in box], "category_id": 1, "id": identifier,
    }  # fmt: skip
