"""Average precision by object keypoint similarity on COCO: pycocotools' own evaluation, with intervals.

Lin et al., Microsoft COCO, ECCV 2014, and cocodataset.org. A network without a face is judged by the joints it has
where the truth labels no others; such a figure stands for itself, not beside the leaderboard's.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval, Params

from models.evaluation.metrics.bootstrap import LEVEL, RESAMPLES, draw_counts, percentiles
from models.evaluation.metrics.figure import Figure
from models.evaluation.metrics.tally import Tally, tally

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

COCO17 = (
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder"),
    *("left_elbow", "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip"),
    *("left_knee", "right_knee", "left_ankle", "right_ankle"),
)
PERSON = 1  # COCO's category


def coco_result(image_id: int, keypoints_px: ArrayLike, score: float, joints: Sequence[str]) -> dict[str, Any]:
    """One person in COCO's form of results.

    Args:
        image_id: COCO's.
        keypoints_px: (K, >= 2). Joints that COCO lacks are dropped. Those that are missing lie in the middle of the
            others, where they do not change the person's area.
        score: Of the person; AP sorts by it.
        joints: Names of the K joints.

    Raises:
        ValueError: No joint of COCO's is predicted.
    """
    points = np.asarray(keypoints_px, np.float64)
    found = {
        joint: points[place, :2]
        for place, joint in enumerate(joints)
        if joint in COCO17 and np.isfinite(points[place, :2]).all()
    }
    if not found:
        raise ValueError("none of COCO's joints is predicted: leave this person out of the results")
    missing: Floats = np.mean(list(found.values()), axis=0)
    places = np.stack([found.get(joint, missing) for joint in COCO17])  # (17, 2)
    return {
        "image_id": image_id,
        "category_id": PERSON,
        "keypoints": np.column_stack([places, np.ones(len(COCO17))]).ravel().tolist(),
        "score": float(score),
    }


def oks_ap(
    truth: dict[str, Any],
    results: Sequence[dict[str, Any]],
    *,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Figure]:
    """AP, AP50, AP75, AP_M, AP_L and AR in per cent, with intervals over pictures.

    Args:
        truth: The content of person_keypoints_*.json. All its pictures are evaluated: take out those that were not
            asked for.
        results: Of `coco_result`.
        resamples: For the intervals.
        level: Of the intervals.
        seed: Of the intervals.
    """
    evaluation = _evaluated(truth, results)
    names = {"AP": 0, "AP50": 1, "AP75": 2, "AP_M": 3, "AP_L": 4, "AR": 5}  # places in pycocotools' stats
    every, medium, large = (_matches(evaluation, area) for area in range(3))
    blocks = []
    for times in draw_counts(len(evaluation.params.imgIds), resamples, seed):
        precision, recall = every.resampled(times)
        half, quarter = (int(np.argmin(abs(evaluation.params.iouThrs - oks))) for oks in (0.5, 0.75))
        blocks.append(
            np.stack(
                [
                    precision.mean(axis=1),
                    precision[:, half],
                    precision[:, quarter],
                    medium.resampled(times)[0].mean(axis=1),
                    large.resampled(times)[0].mean(axis=1),
                    recall.mean(axis=1),
                ],
                axis=1,
            )
        )
    lows, highs = percentiles(np.concatenate(blocks), level)
    counts = [int((area.people > 0).sum()) for area in (every, every, every, medium, large, every)]
    figures = {}
    for (name, place), low, high, count in zip(names.items(), lows, highs, counts, strict=True):
        value = evaluation.stats[place] if count else np.nan  # pycocotools says -1 where there is nobody
        figures[name] = Figure(100 * float(value), 100 * float(low), 100 * float(high), count, "%", level)
    return figures


def oks(predicted_px: ArrayLike, truth_px: ArrayLike, valid: ArrayLike, area_px: ArrayLike) -> Tally:
    """Object keypoint similarity of people to their own annotation: one column, people without joints do not count.

    Args:
        predicted_px: (N, 17, >= 2) in COCO's order. NaN has no similarity.
        truth_px: (N, 17, >= 2).
        valid: (N, 17).
        area_px: (N,), of the annotated person.
    """
    known = np.asarray(valid, bool)
    difference = np.asarray(predicted_px, np.float64)[..., :2] - np.asarray(truth_px, np.float64)[..., :2]
    variance = (2 * np.asarray(Params("keypoints").kpt_oks_sigmas)) ** 2
    area = np.asarray(area_px, np.float64)[:, None] + np.spacing(1)
    similarity = np.nan_to_num(np.exp(-(difference**2).sum(axis=-1) / variance / area / 2))
    labelled = known.sum(axis=1)
    return tally((similarity * known).sum(axis=1) / np.maximum(labelled, 1), labelled > 0)


@dataclass(frozen=True, eq=False)
class _Matches:
    """COCOeval's matches of one range of areas: D detections of all pictures by falling score, T thresholds of OKS."""

    picture: NDArray[np.intp]  # (D,)
    true: Bools  # (T, D); neither is one that is ignored
    false: Bools  # (T, D)
    people: Floats  # (I,), annotated people that count, of each picture
    recalls: Floats  # at which precision is read

    def resampled(self, times: Floats) -> tuple[Floats, Floats]:
        """AP and the last recall (R, T) when picture i is there `times[r, i]` times; NaN where nobody is left.

        Weights in the sums do the same as copies of detections: precision is read as the highest from a recall on, and
        the copies of a true detection raise it up to the last one, those of a false one lower it.
        """
        drawn = times[:, self.picture]  # (R, D)
        people = times @ self.people
        shape = (len(times), len(self.true))
        precision, recall = np.zeros(shape), np.zeros(shape)
        for threshold, (true, false) in enumerate(zip(self.true, self.false, strict=True)):
            counted = np.flatnonzero(true | false)
            hit = np.flatnonzero(true[counted])  # elsewhere precision only falls
            if not hit.size:
                continue
            weights = drawn[:, counted]
            hits = np.cumsum(weights[:, hit], axis=1)
            highest = hits / (np.cumsum(weights, axis=1)[:, hit] + np.spacing(1))
            highest = np.maximum.accumulate(highest[:, ::-1], axis=1)[:, ::-1]  # from here on
            for row in np.flatnonzero(people):
                recalls = hits[row] / people[row]
                reached = np.searchsorted(recalls, self.recalls, side="left")
                precision[row, threshold] = highest[row, reached[reached < hit.size]].sum() / len(self.recalls)
                recall[row, threshold] = recalls[-1]
        precision[people == 0] = recall[people == 0] = np.nan
        return precision, recall


def _evaluated(truth: dict[str, Any], results: Sequence[dict[str, Any]]) -> Any:
    """COCOeval after its evaluation, which prints and writes into what it is given."""
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = deepcopy(truth)
        annotated.createIndex()
        predicted = annotated.loadRes(deepcopy(list(results))) if results else COCO()
        evaluation = COCOeval(annotated, predicted, "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return evaluation


def _matches(evaluation: Any, area: int) -> _Matches:
    parameters = evaluation.params
    pictures, most = len(parameters.imgIds), parameters.maxDets[-1]
    thresholds = len(parameters.iouThrs)
    people = np.zeros(pictures)
    owners, scores = [np.zeros(0, np.intp)], [np.zeros(0)]
    matched, ignored = ([np.zeros((thresholds, 0), bool)] for _ in range(2))
    for picture, found in enumerate(evaluation.evalImgs[area * pictures : (area + 1) * pictures]):
        if found is None:
            continue
        people[picture] = np.count_nonzero(found["gtIgnore"] == 0)
        scores.append(np.array(found["dtScores"][:most], np.float64))
        owners.append(np.full(len(scores[-1]), picture, np.intp))
        matched.append(found["dtMatches"][:, :most] > 0)
        ignored.append(found["dtIgnore"][:, :most])
    order = np.argsort(-np.concatenate(scores), kind="mergesort")
    hit, counted = np.concatenate(matched, axis=1)[:, order], ~np.concatenate(ignored, axis=1)[:, order]
    return _Matches(np.concatenate(owners)[order], hit & counted, ~hit & counted, people, parameters.recThrs)
