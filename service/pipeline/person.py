"""From the frame network's output for one crop to the person in the answer."""

from __future__ import annotations

import numpy as np

from service.networks.frame import FrameOutput
from service.networks.score_rule import ScoreRule
from service.people.keypoint_search import person_box
from service.pipeline.answers import Person
from service.vision.boxes import Box
from service.vision.camera import Camera, positions_mm
from service.vision.layouts import Layout, convert


def person_in(
    output: FrameOutput,
    index: int,
    box: Box | None,
    own: Layout,
    wanted: Layout,
    camera: Camera | None = None,
    detection_score: float | None = None,
    rule: ScoreRule | None = None,
    person_id: int | None = None,
) -> Person:
    """Returns the person of crop `index`.

    Positions in space are computed for the network's own joints and then converted: the middle of two joints of
    different depth does not project to the middle of their pixels.

    Args:
        output: The frame network's output for N crops.
        index: Which of the crops.
        box: The person's box in pixels; None: the box around the keypoints with high scores or, where those are too
            few, the crop window.
        own: The network's joint layout.
        wanted: The layout of the answer.
        camera: Adds positions in its coordinates.
        detection_score: Of the detector, where it found the person.
        rule: How a detected person's score is made; None: it is the mean keypoint score.
        person_id: Id of the track.
    """
    keypoints_px = output.keypoints_px[index]  # (K, 2)
    numbers = [keypoints_px]
    if output.depths_mm is not None:
        depths_mm = output.depths_mm[index]  # (K,)
        numbers.append(depths_mm[:, None])
        if camera is not None:
            numbers.append(positions_mm(keypoints_px, depths_mm, camera, camera.root_depth_mm(index)))
    converted, scores = convert(np.concatenate(numbers, axis=1), output.scores[index], own, wanted)  # (K', 2, 3 or 6)
    return Person(
        box=box or person_box(output, index) or output.crop_windows[index].as_box(),
        score=person_score(float(output.scores[index].mean()), detection_score, rule),
        keypoints_px=converted[:, :2],
        scores=scores,
        depths_mm=converted[:, 2] if len(numbers) > 1 else None,
        positions_mm=converted[:, 3:] if len(numbers) > 2 else None,
        detection_score=detection_score,
        id=person_id,
    )


def person_score(mean: float, detection_score: float | None, rule: ScoreRule | None) -> float:
    """Returns the share of a person's joints that are expected to be right.

    Keypoint scores are calibrated, so that their mean says it; a detection says something more.

    Args:
        mean: Of the keypoint scores.
        detection_score: None where the person was not detected.
        rule: How both are combined; None: not at all.
    """
    if detection_score is None or rule is None:
        return mean
    return float(rule.score(np.array([mean]), np.array([detection_score]))[0])
