"""Drawing of skeletons into pictures."""

from __future__ import annotations

import cv2
import numpy as np

from service.pipeline.answers import Person
from service.vision.boxes import Box
from service.vision.crops import Image
from service.vision.layouts import Layout

DRAWN_FROM_SCORE, DRAWN_SHARE = 0.2, 0.5
_THINNEST, _THICKEST = 2, 1000  # pixels of a bone, also in pictures of millions of pixels a side: OpenCV has a limit
_RIGHT, _LEFT, _MIDDLE = (255, 112, 67), (66, 165, 245), (156, 204, 101)


def _colour(joint: str) -> tuple[int, int, int]:
    return _RIGHT if joint.startswith("right") else _LEFT if joint.startswith("left") else _MIDDLE


def draw_people(image: Image, people: list[Person], layout: Layout) -> Image:
    """Returns a copy of the picture with the bones and joints of people: right side orange, left side blue.

    People with less than half of their joints drawn get a thin box around them as well.

    Args:
        image: (H, W, 3), RGB.
        people: Their keypoints are in pixels of the picture; those with low scores are left out, as are missing ones.
        layout: The layout of the keypoints.
    """
    canvas = image.copy()
    for person in people:
        size = max(person.box.width, person.box.height, 40.0)
        thickness = min(max(_THINNEST, round(size / 90)), _THICKEST)
        reach = max(canvas.shape[:2])  # how far outside of the picture a joint is drawn to
        known = ~np.isnan(person.keypoints_px[:, 0])  # a missing joint has no place
        points = np.clip(np.nan_to_num(person.keypoints_px), -reach, 2 * reach).round().astype(int)
        shown = known & (person.scores >= DRAWN_FROM_SCORE)
        if shown.sum() < DRAWN_SHARE * known.sum():
            _draw_box(canvas, person.box)
        for a, b in layout.edges:
            if shown[a] and shown[b]:
                side = layout.joints[a] if not layout.joints[a].startswith(("pelvis", "thorax")) else layout.joints[b]
                cv2.line(canvas, points[a].tolist(), points[b].tolist(), _colour(side), thickness, cv2.LINE_AA)
        for joint, point, visible in zip(layout.joints, points, shown, strict=True):
            if visible:
                cv2.circle(canvas, point.tolist(), thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
                cv2.circle(canvas, point.tolist(), thickness, _colour(joint), -1, cv2.LINE_AA)
    return canvas


def _draw_box(canvas: Image, box: Box) -> None:
    low = np.clip([box.x, box.y], 0, canvas.shape[1::-1]).round().astype(int)
    high = np.clip([box.x + box.width, box.y + box.height], 0, canvas.shape[1::-1]).round().astype(int)
    cv2.rectangle(canvas, low.tolist(), high.tolist(), _MIDDLE, 1, cv2.LINE_AA)
