from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.people.association import best_pairs, first_of_same, pose_similarities
from service.vision.boxes import Box, as_rows, iou

sides = st.floats(1, 50)
boxes = st.lists(st.builds(Box, st.floats(0, 60), st.floats(0, 60), sides, sides), max_size=5)
POSE = np.random.default_rng(3).uniform(0, 100, (16, 2)).astype(np.float32)


def test_the_best_pair_comes_first() -> None:
    """The first track's best detection is the second track's own: it must not take it away."""
    tracks = [Box(0, 0, 10, 10), Box(4, 0, 10, 10)]
    detections = [Box(4, 0, 10, 10), Box(-3, 0, 10, 10)]
    assert best_pairs(iou(as_rows(tracks), as_rows(detections)), 0.3) == {0: 1, 1: 0}


@given(boxes, boxes)
def test_each_is_matched_once_at_most_and_above_the_threshold(tracks: list[Box], detections: list[Box]) -> None:
    overlaps = iou(as_rows(tracks), as_rows(detections))
    matches = best_pairs(overlaps, 0.3)
    assert len(set(matches.values())) == len(matches)
    assert all(overlaps[t, d] >= 0.3 for t, d in matches.items())
    unmatched = [(t, d) for t in range(len(tracks)) for d in range(len(detections))]
    assert all(overlaps[t, d] < 0.3 for t, d in unmatched if t not in matches and d not in matches.values())


def test_the_same_pose_is_as_similar_as_can_be_and_a_far_one_not_at_all() -> None:
    others = np.stack([POSE, POSE + 5, POSE[::-1], POSE + 1000])
    same, near, mixed, far = pose_similarities(POSE[None], np.ones((1, 16)), others)[0]
    assert same == 1 > near > mixed > far
    assert far < 1e-6


def test_joints_without_weight_do_not_count() -> None:
    other, weights = POSE.copy(), np.ones((1, 16))
    other[5] += 60
    weights[0, 5] = 0
    assert pose_similarities(POSE[None], weights, other[None])[0, 0] > 0.999
    assert pose_similarities(POSE[None], np.ones((1, 16)), other[None])[0, 0] < 0.96


def test_poses_of_one_person_are_told_from_those_of_neighbours() -> None:
    poses = POSE + np.array([[0, 0], [60, 0], [1, 1], [62, 0], [6, 0]], np.float32)[:, None]
    assert first_of_same(poses, 0.04) == [0, 1, 0, 1, 4]
    assert first_of_same(poses, 0.1) == [0, 1, 0, 1, 0]
    assert first_of_same(poses[:0]) == []
