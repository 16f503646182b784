from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from models.evaluation.metrics import oks as module
from models.evaluation.metrics.oks import COCO17, coco_result, oks, oks_ap
from models.protocol.joints import PA16

RANDOM = np.random.default_rng(0)
BODY = [joint for joint in COCO17 if joint in PA16]


def made_truth(pictures: int = 30) -> dict[str, Any]:
    """Pictures with no person to three, of all sizes, some joints unlabelled, some people without any, one crowd."""
    annotations: list[dict[str, Any]] = []
    for picture in range(1, pictures + 1):
        for _ in range(picture % 4):
            width, height = RANDOM.uniform(20, 250, 2)
            left, top = RANDOM.uniform(0, 200, 2)
            points = np.stack([RANDOM.uniform(left, left + width, 17), RANDOM.uniform(top, top + height, 17)], axis=1)
            labelled = (RANDOM.random(17) < (0.8 if len(annotations) % 9 else 0.0)) * 2
            triples = np.column_stack([points.round(), labelled]) * (labelled > 0)[:, None]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "image_id": picture,
                    "category_id": 1,
                    "iscrowd": int(len(annotations) == 17),
                    "bbox": [left, top, width, height],
                    "area": 0.6 * width * height,
                    "keypoints": triples.ravel().astype(int).tolist(),
                    "num_keypoints": int((labelled > 0).sum()),
                }
            )
    return {
        "images": [{"id": picture} for picture in range(1, pictures + 1)],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO17)}],
        "annotations": annotations,
    }


def made_results(truth: dict[str, Any]) -> list[dict[str, Any]]:
    """A noisy detection of each person, some far off, and some of nobody."""
    results = []
    for annotation in truth["annotations"]:
        points = np.array(annotation["keypoints"], float).reshape(-1, 3)[:, :2]
        noise = RANDOM.choice([0.02, 0.06, 0.5]) * np.sqrt(annotation["area"])
        points = points + RANDOM.normal(0, noise, points.shape)
        results.append(coco_result(annotation["image_id"], points, float(RANDOM.random()), COCO17))
        if RANDOM.random() < 0.3:
            points = RANDOM.uniform(0, 300, (17, 2))
            results.append(coco_result(annotation["image_id"], points, float(RANDOM.random()), COCO17))
    return results


TRUTH = made_truth()
RESULTS = made_results(TRUTH)


def stats(truth: dict[str, Any], results: list[dict[str, Any]]) -> np.ndarray:
    """AP, AP50, AP75, AP_M, AP_L, AR of pycocotools, asked as its documentation says."""
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = COCO()
        annotated.dataset = truth
        annotated.createIndex()
        evaluation = COCOeval(annotated, annotated.loadRes([dict(result) for result in results]), "keypoints")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return np.array(evaluation.stats[:6])


def copied(truth: dict[str, Any], results: list[dict[str, Any]], times: np.ndarray) -> tuple[Any, Any]:
    """Both with picture i as often as `times[i]` says, each copy a picture of its own."""
    images: list[dict[str, int]] = []
    annotations: list[dict[str, Any]] = []
    found: list[dict[str, Any]] = []
    for picture, count in zip(truth["images"], times.astype(int), strict=True):
        for _ in range(count):
            number = len(images) + 1
            images.append({"id": number})
            for annotation in truth["annotations"]:
                if annotation["image_id"] == picture["id"]:
                    annotations.append({**annotation, "id": len(annotations) + 1, "image_id": number})
            found += [{**each, "image_id": number} for each in results if each["image_id"] == picture["id"]]
    return {**truth, "images": images, "annotations": annotations}, found


def test_ap_is_that_of_pycocotools() -> None:
    figures = oks_ap(TRUTH, RESULTS, resamples=20)
    assert list(figures) == ["AP", "AP50", "AP75", "AP_M", "AP_L", "AR"]
    assert [figure.value for figure in figures.values()] == (100 * stats(TRUTH, RESULTS)).tolist()
    for figure in figures.values():
        assert 0 < figure.low < figure.value < figure.high < 100


def test_resampled_ap_is_that_of_pycocotools_with_copies_of_the_pictures() -> None:
    evaluation = module._evaluated(TRUTH, RESULTS)
    areas = [module._matches(evaluation, area) for area in range(3)]
    for times in (np.ones(30), *RANDOM.multinomial(30, np.full(30, 1 / 30), size=4).astype(float)):
        (precision, recall), (medium, _), (large, _) = (area.resampled(times[None]) for area in areas)
        ours = [precision.mean(), precision[0, 0], precision[0, 5], medium.mean(), large.mean(), recall.mean()]
        assert ours == pytest.approx(stats(*copied(TRUTH, RESULTS, times)).tolist(), rel=1e-12)


def test_perfect_results_have_an_ap_of_100_and_none_one_of_0() -> None:
    perfect = [
        coco_result(each["image_id"], np.array(each["keypoints"]).reshape(-1, 3)[:, :2], 1, COCO17)
        for each in TRUTH["annotations"]
        if each["num_keypoints"]
    ]
    assert oks_ap(TRUTH, perfect, resamples=5)["AP"].value == pytest.approx(100)
    nothing = oks_ap(TRUTH, [], resamples=5)
    assert {(figure.value, figure.low, figure.high) for figure in nothing.values()} == {(0, 0, 0)}


def test_a_size_that_nobody_has_is_no_figure() -> None:
    large = {**TRUTH, "annotations": [{**each, "area": 2e4} for each in TRUTH["annotations"]]}
    figures = oks_ap(large, RESULTS, resamples=5)
    assert np.isnan(figures["AP_M"].value)
    assert figures["AP_M"].count == 0
    assert figures["AP_L"].value > 0


def test_a_resample_without_people_is_left_out() -> None:
    matches = module._matches(module._evaluated(TRUTH, RESULTS), 0)
    times = np.stack([np.where(matches.people == 0, 4.0, 0.0), np.ones(30)])
    for values in matches.resampled(times):
        assert np.isnan(values[0]).all()
        assert np.isfinite(values[1]).all()


def test_what_is_given_is_not_written_into() -> None:
    before = repr(TRUTH), repr(RESULTS)
    oks_ap(TRUTH, RESULTS, resamples=2)
    assert (repr(TRUTH), repr(RESULTS)) == before


def test_a_network_without_a_face_is_judged_by_its_twelve_joints_where_the_truth_has_no_others() -> None:
    assert len(BODY) == 12
    bodies, perfect = [], []
    for each in TRUTH["annotations"]:
        triples = np.array(each["keypoints"]).reshape(-1, 3)
        triples[:5] = 0
        labelled = int((triples[:, 2] > 0).sum())
        bodies.append({**each, "keypoints": triples.ravel().tolist(), "num_keypoints": labelled})
        pose = np.full((16, 2), np.nan)
        pose[[PA16.index(joint) for joint in BODY]] = triples[5:, :2]
        if labelled:
            perfect.append(coco_result(each["image_id"], pose, 1, PA16))
    assert oks_ap({**TRUTH, "annotations": bodies}, perfect, resamples=2)["AP"].value == pytest.approx(100)
    assert oks_ap(TRUTH, perfect, resamples=2)["AP"].value < 60


def test_missing_joints_do_not_change_a_persons_area() -> None:
    points = RANDOM.uniform(100, 200, (17, 2))
    points[:5] = np.nan
    made = np.array(coco_result(7, points, 0.5, COCO17)["keypoints"]).reshape(-1, 3)[:, :2]
    assert (made.min(axis=0) == points[5:].min(axis=0)).all()
    assert (made.max(axis=0) == points[5:].max(axis=0)).all()


def test_a_person_without_joints_is_no_result() -> None:
    with pytest.raises(ValueError, match="leave this person out"):
        coco_result(1, np.full((17, 2), np.nan), 1, COCO17)


def test_oks_is_that_of_pycocotools() -> None:
    evaluation = module._evaluated(TRUTH, RESULTS)
    compared = 0
    for annotation in TRUTH["annotations"]:
        picture = annotation["image_id"]
        people = [each for each in TRUTH["annotations"] if each["image_id"] == picture]
        if not annotation["num_keypoints"]:
            continue
        found = sorted((each for each in RESULTS if each["image_id"] == picture), key=lambda each: -each["score"])
        triples = np.array(annotation["keypoints"], float).reshape(17, 3)
        predicted = np.array([each["keypoints"] for each in found]).reshape(-1, 17, 3)
        ours = oks(
            predicted,
            np.broadcast_to(triples, predicted.shape),
            np.broadcast_to(triples[:, 2] > 0, predicted.shape[:2]),
            np.full(len(found), annotation["area"]),
        )
        theirs = evaluation.ious[picture, 1][:, people.index(annotation)]
        assert ours.sums[:, 0].tolist() == pytest.approx(theirs.tolist(), rel=1e-12, abs=1e-300)
        compared += len(found)
    assert compared > 40


def test_people_without_labelled_joints_have_no_oks_and_lost_joints_no_similarity() -> None:
    truth = np.zeros((3, 17, 2))
    predicted = truth.copy()
    predicted[1, :5] = np.nan
    valid = np.ones((3, 17), bool)
    valid[2] = False
    found = oks(predicted, truth, valid, [1000, 1000, 1000])
    assert found.sums[:, 0].tolist() == pytest.approx([1, 12 / 17, 0])
    assert found.counts[:, 0].tolist() == [1, 1, 0]
