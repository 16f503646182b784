from __future__ import annotations

import numpy as np

from models.datasets.detection.detector import Detections
from models.datasets.detection.following import follow

Rows = list[tuple[float, float, float, float, float]]  # x, y, width, height, score


def found(*frames: Rows) -> list[Detections]:
    return [
        Detections(np.array([r[:4] for r in rows]).reshape(-1, 4), np.array([r[4] for r in rows])) for rows in frames
    ]


def test_the_large_steady_person_is_followed_past_others() -> None:
    frames = []
    for t in range(40):
        rows: Rows = [(100 + 3 * t, 50, 80, 200, 0.8)]
        rows.append((20, 40, 25, 60, 0.99))  # somebody small in the background, whom the detector is sure of
        if t == 10:
            rows.append((300, 0, 300, 400, 0.9))  # a wrong box, large, in one frame
        frames.append(sorted(rows, key=lambda row: -row[4]))
    followed = follow(found(*frames))
    assert followed is not None
    assert followed.found.all()
    assert followed.boxes[:, 0].tolist() == [100 + 3 * t for t in range(40)]


def test_frames_without_a_detection_get_the_nearest_frames_box() -> None:
    seen: Rows = [(10, 10, 50, 100, 0.9)]
    later: Rows = [(14, 10, 50, 100, 0.9)]
    followed = follow(found([], [], seen, [], [], [], later, []))
    assert followed is not None
    assert followed.found.tolist() == [False, False, True, False, False, False, True, False]
    assert followed.boxes[:, 0].tolist() == [10, 10, 10, 10, 10, 14, 14, 14]


def test_nobody_is_nobody() -> None:
    assert follow(found([], [], [])) is None


def test_a_jump_too_wide_for_overlap_goes_on_with_the_person() -> None:
    before: list[Rows] = [[(100, 50, 60, 160, 0.9)] for _ in range(20)]
    after: list[Rows] = [[(180, 60, 60, 150, 0.9)] for _ in range(10)]
    followed = follow(found(*before, *after))
    assert followed is not None
    assert followed.found.all()
    assert followed.boxes[-1, 0] == 180


def test_another_person_is_no_continuation() -> None:
    before: list[Rows] = [[(100, 50, 60, 160, 0.9)] for _ in range(20)]
    far: list[Rows] = [[(700, 60, 60, 150, 0.9)] for _ in range(5)]
    small: list[Rows] = [[(110, 60, 20, 50, 0.9)] for _ in range(5)]
    followed = follow(found(*before, *far, *small))
    assert followed is not None
    assert followed.found.sum() == 20
    assert (followed.boxes[:, 0] == 100).all()


def test_two_who_cross_keep_their_boxes() -> None:
    frames: list[Rows] = []
    for t in range(30):
        a, b = (50 + 8 * t, 40, 100, 260, 0.9), (400 - 8 * t, 60, 60, 180, 0.8)
        frames.append([a, b])
    followed = follow(found(*frames))
    assert followed is not None
    assert (followed.boxes[:, 2] == 100).all()
