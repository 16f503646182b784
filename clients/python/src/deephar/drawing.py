"""Drawing of skeletons and captions into pictures, for the service and its clients alike. Needs NumPy and OpenCV."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]  # (H, W, 3), RGB
Floats = NDArray[np.floating]

DRAWN_FROM_SCORE, DRAWN_SHARE = 0.2, 0.5
_THINNEST, _THICKEST = 2, 1000  # pixels of a bone, also in pictures of millions of pixels a side: OpenCV has a limit
_RIGHT, _LEFT, _MIDDLE = (255, 112, 67), (66, 165, 245), (156, 204, 101)

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT, _PLATE, _PLATE_SHARE = (255, 255, 255), 16, 0.7  # white on a dark plate that lets some of the picture through
_SHORTEST_LETTER, _LONGEST_LETTER = 11, 400  # pixels of a capital letter's height
_OF_PERSON, _OF_PICTURE = 1 / 16, 1 / 26  # that height: of the person's, and at most of the picture's
_SPACE = 0.45  # around a text, in heights of a letter
_LETTER, _PROBE_SCALE = 27.0, 10.0  # a letter's height at scale 1; where the width is measured: sizes are whole pixels


@dataclass(frozen=True)
class Drawn:
    """One person as they are drawn: K keypoints in pixels of the picture; NaN: the model lacks the joint."""

    points_px: Floats  # (K, 2)
    scores: Floats  # (K,)
    box: tuple[float, float, float, float]  # x, y, width, height
    label: str = ""  # as "3 jumping_jacks 0.87"


class _Plate(NamedTuple):
    """Where a caption stands, in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def overlaps(self, other: _Plate) -> bool:
        return (
            self.x < other.x + other.width
            and other.x < self.x + self.width
            and self.y < other.y + other.height
            and other.y < self.y + self.height
        )


def draw_people(
    image: Image, people: Sequence[Drawn], joints: Sequence[str], edges: Sequence[tuple[int, int]]
) -> Image:
    """Returns a copy of the picture with the bones, joints and captions of people: right side orange, left side blue.

    Keypoints with low scores are left out, and so are those that are NaN. People with less than half of their joints
    drawn get a thin box around them as well. Captions never leave the picture.

    Args:
        image: (H, W, 3), RGB.
        people: Whom to draw.
        joints: Names of the K keypoints.
        edges: Bones, as pairs of indices of joints.
    """
    canvas = image.copy()
    for person in people:
        _draw_skeleton(canvas, person, joints, edges)
    plates: list[_Plate] = []  # captions lie over all skeletons
    for person in people:
        if person.label:
            plates.append(_draw_caption(canvas, person, plates))
    return canvas


def _colour(joint: str) -> tuple[int, int, int]:
    return _RIGHT if joint.startswith("right") else _LEFT if joint.startswith("left") else _MIDDLE


def _shown(person: Drawn) -> NDArray[np.bool_]:
    return (person.scores >= DRAWN_FROM_SCORE) & np.isfinite(person.points_px).all(axis=1)


def _draw_skeleton(canvas: Image, person: Drawn, joints: Sequence[str], edges: Sequence[tuple[int, int]]) -> None:
    thickness = min(max(_THINNEST, round(max(*person.box[2:], 40.0) / 90)), _THICKEST)
    reach = max(canvas.shape[:2])  # how far outside of the picture a joint is drawn to
    shown = _shown(person)
    points = np.clip(np.nan_to_num(person.points_px), -reach, 2 * reach).round().astype(int)
    if shown.mean() < DRAWN_SHARE:
        _draw_box(canvas, person.box)
    for a, b in edges:
        if shown[a] and shown[b]:
            side = joints[a] if not joints[a].startswith(("pelvis", "thorax")) else joints[b]
            cv2.line(canvas, points[a].tolist(), points[b].tolist(), _colour(side), thickness, cv2.LINE_AA)
    for joint, point, visible in zip(joints, points, shown, strict=True):
        if visible:
            cv2.circle(canvas, point.tolist(), thickness + 1, (255, 255, 255), -1, cv2.LINE_AA)
            cv2.circle(canvas, point.tolist(), thickness, _colour(joint), -1, cv2.LINE_AA)


def _draw_box(canvas: Image, box: tuple[float, float, float, float]) -> None:
    x, y, width, height = box
    low = np.clip([x, y], 0, canvas.shape[1::-1]).round().astype(int)
    high = np.clip([x + width, y + height], 0, canvas.shape[1::-1]).round().astype(int)
    cv2.rectangle(canvas, low.tolist(), high.tolist(), _MIDDLE, 1, cv2.LINE_AA)


def _draw_caption(canvas: Image, person: Drawn, others: list[_Plate]) -> _Plate:
    """Draws the label above the person, or where there is room, and returns its place."""
    rows, columns = canvas.shape[:2]
    extent = _extent(person)
    scale = _text_scale(person.label, extent[3] - extent[1], rows, columns)
    letter = scale * _LETTER
    thickness, space = max(1, round(letter / 9)), round(_SPACE * letter) + 1
    (text_width, text_height), below = cv2.getTextSize(person.label, _FONT, scale, thickness)
    width, height = min(text_width + 2 * space, columns), min(text_height + below + space, rows)
    plate = _place(extent, (width, height), 2 * space, (columns, rows), others)
    area = canvas[plate.y : plate.y + height, plate.x : plate.x + width]
    area[:] = (area * (1 - _PLATE_SHARE) + _PLATE * _PLATE_SHARE).astype(np.uint8)
    at = plate.x + space, plate.y + height - below - space // 2
    cv2.putText(canvas, person.label, at, _FONT, scale, _TEXT, thickness, cv2.LINE_AA)
    return plate


def _text_scale(label: str, person_height: float, rows: int, columns: int) -> float:
    """Returns OpenCV's scale of a caption that goes with the person's size and fits into the picture."""
    letter = max(
        min(person_height * _OF_PERSON, min(rows, columns) * _OF_PICTURE, _LONGEST_LETTER),
        min(_SHORTEST_LETTER, rows / 3),
    )
    return min(letter / _LETTER, columns / (_text_width(label) + 2 * _SPACE * _LETTER))


@lru_cache(256)  # OpenCV takes as long for it as for a whole skeleton, and a caption stays for many frames
def _text_width(label: str) -> float:
    """Returns the width of a text at scale 1."""
    width: int = cv2.getTextSize(label, _FONT, _PROBE_SCALE, 1)[0][0]
    return width / _PROBE_SCALE


def _place(
    extent: tuple[float, float, float, float],
    size: tuple[int, int],
    gap: int,
    picture: tuple[int, int],
    others: list[_Plate],
) -> _Plate:
    """Returns where a caption of this size stands: above the person, or below, or over them, free of other captions."""
    left, top, right, bottom = extent
    width, height = size
    x = round(min(max((left + right - width) / 2, 0), picture[0] - width))
    wanted = (top - gap - height, bottom + gap, top + gap)
    plates = [_Plate(x, round(min(max(y, 0), picture[1] - height)), width, height) for y in wanted]
    whole = [plate for plate, y in zip(plates, wanted, strict=True) if 0 <= y <= picture[1] - height]
    free = [plate for plate in whole + plates if not any(plate.overlaps(other) for other in others)]
    return (free or whole or plates)[0]


def _extent(person: Drawn) -> tuple[float, float, float, float]:
    """Returns left, top, right and bottom of what is drawn of the person."""
    points = person.points_px[_shown(person)]
    if len(points) < 2:
        x, y, width, height = person.box
        return x, y, x + width, y + height
    (left, top), (right, bottom) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return left, top, right, bottom
