"""Which box or pose belongs to which track: by position, by pose, and by where a hidden person may have gone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.people.track import Track
from service.vision.boxes import Box, as_rows, intersections, iou

Array = NDArray[np.floating]

MIN_IOU = 0.3  # of a detection and the track that it matches
SAME_POSE = 0.1  # mean keypoint distance of two poses over the person's size: one of them is a duplicate
OWN_CROP = 0.1  # what the pose in a track's own crop counts more, in OKS, than one in another's
COVERED = 0.1  # largest share of a track's box that another's covers where its person is seen whole
KEYPOINT_SPREAD = 0.16  # of the person's size (root of the area); OKS's constants of the body's joints, averaged


def best_pairs(similarities: Array, least: float) -> dict[int, int]:
    """Returns column by row of similarities (T, D), the most similar pair first, each row and column once.

    Args:
        similarities: Of T tracks and D boxes or poses.
        least: Pairs that are less similar belong to nobody.
    """
    matches: dict[int, int] = {}
    for pair in np.argsort(-similarities, axis=None, kind="stable").tolist():
        t, d = divmod(pair, similarities.shape[1])
        if similarities[t, d] < least:
            break
        if t not in matches and d not in matches.values():
            matches[t] = d
    return matches


def pose_similarities(expected_px: Array, weights: Array, keypoints_px: Array) -> NDArray[np.float64]:
    """Returns object keypoint similarities (T, N) of expected poses and poses: 1 is the same, 0 far away.

    COCO's OKS, with one spread for all joints, as Xiao, Wu and Wei (ECCV 2018) track people by it.

    Args:
        expected_px: (T, K, 2) in pixels.
        weights: (T, K) of the joints.
        keypoints_px: (N, K, 2) in pixels.
    """
    sizes = np.sqrt(np.maximum(np.ptp(keypoints_px, axis=1).prod(axis=1), 1.0))  # (N,)
    squares = ((expected_px[:, None] - keypoints_px[None]) ** 2).sum(axis=-1)  # (T, N, K)
    similar = np.exp(-squares / (2 * (KEYPOINT_SPREAD * sizes[None, :, None]) ** 2))
    shares = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-6)
    return np.asarray((similar * shares[:, None]).sum(axis=-1), np.float64)


def detections_of_tracks(tracks: Sequence[Track], boxes: Sequence[Box], time_s: float) -> dict[int, int]:
    """Returns the detected box of each track, by index, at a media time."""
    return best_pairs(iou(as_rows([track.expected_box(time_s) for track in tracks]), as_rows(boxes)), MIN_IOU)


def hidden_tracks_of(boxes: Sequence[Box], hidden: Sequence[Track], time_s: float) -> dict[int, Track]:
    """Returns the hidden track whose person each new box may show, by the box's index."""
    likenesses = np.array([[track.likeness(box, time_s) for track in hidden] for box in boxes])
    matches = best_pairs(likenesses.reshape(len(boxes), len(hidden)), 1e-6)
    return {box: hidden[track] for box, track in matches.items()}


def poses_of_tracks(tracks: Sequence[Track], keypoints_px: Array, time_s: float) -> dict[int, int]:
    """Returns the pose that suits each track best, by index. A track whose person another one has gets none.

    Args:
        tracks: T of them, with a crop each.
        keypoints_px: (T, K, 2), the poses in these crops.
        time_s: Media time of the frame.
    """
    if len(tracks) == 1:  # as in most videos
        return {0: 0}
    first = first_of_same(keypoints_px)
    duplicates = [i for i, j in enumerate(first) if i != j]
    shared = {first[i] for i in duplicates}
    known = [i for i, track in enumerate(tracks) if track.poses]
    similarities = np.zeros((len(tracks), len(tracks)))
    if known:
        similarities[known] = pose_similarities(
            np.stack([tracks[i].expected_pose(time_s) for i in known]),
            np.stack([tracks[i].scores for i in known]),
            keypoints_px,
        )
    similarities[range(len(tracks)), first] += OWN_CROP
    for i in known:
        if first[i] in shared:  # Frame by frame, the track of the hidden person drifts to the one in front.
            similarities[i, first[i]] += tracks[i].nearness(keypoints_px[i], time_s)
    similarities[:, duplicates] = -1.0
    return best_pairs(similarities, OWN_CROP)


def seen_whole(tracks: Sequence[Track], time_s: float) -> list[bool]:
    """Returns for each track whether its box is free of the others'."""
    if len(tracks) == 1:
        return [True]
    rows = as_rows([track.expected_box(time_s) for track in tracks])
    shared = intersections(rows, rows)
    areas = shared.diagonal().copy()
    np.fill_diagonal(shared, 0.0)
    return [bool(most <= COVERED * area) for most, area in zip(shared.max(axis=1, initial=0.0), areas, strict=True)]


def first_of_same(keypoints_px: Array, distance: float = SAME_POSE) -> list[int]:
    """Returns for each pose of (N, K, 2) the first one that shows the same person, by index.

    Args:
        keypoints_px: In pixels.
        distance: Largest mean distance of keypoints, over the person's size.
    """
    distances = np.linalg.norm(keypoints_px[:, None] - keypoints_px[None], axis=-1).mean(axis=-1)
    sizes = np.maximum(np.ptp(keypoints_px, axis=1).max(axis=-1), 1.0)
    same = distances < distance * sizes
    first: list[int] = []
    for i in range(len(keypoints_px)):
        first.append(next((j for j in range(i) if first[j] == j and same[i, j]), i))
    return first
