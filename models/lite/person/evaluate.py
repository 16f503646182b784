"""Accuracy of the person detector: average precision, and recall at one false positive a picture.

    python -m models.lite.person.evaluate --data ../shared/data --out build/lite [--onnx model.onnx]

`measure` takes any `detect(image) -> (boxes_px, scores)`, so that torch, ONNX and a running service are measured by the
same code. It needs no torch.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.lite.person.data import BoxedPictures, Boxes, Picture, load_validation
from service.networks.tensors import BOX_SCORES, BOXES, IMAGE
from service.vision.boxes import iou, nms
from service.vision.crops import letterbox

# Of people by their height in the picture's.
HEIGHTS = {"small": (0, 0.25), "tall": (0.25, np.inf), "a_quarter_to_half": (0.25, 0.5), "over_half": (0.5, np.inf)}

Scores = NDArray[np.float32]
Detections = tuple[Boxes, Scores]  # of one picture: (n, 4) x, y, width, height in pixels, (n,)
Detect = Callable[[Picture], Detections]


def matches(detections: Sequence[Detections], truth: Sequence[Boxes], min_iou: float = 0.5) -> list[NDArray[np.intp]]:
    """Matches detections with true boxes, each at most once, the highest score first.

    Returns:
        For each picture, for each detection: the index of the true box, or -1 for a false positive.
    """
    found = []
    for (boxes, scores), true_boxes in zip(detections, truth, strict=True):
        overlaps = iou(boxes, true_boxes)
        chosen = np.full(len(boxes), -1, np.intp)
        for i in np.argsort(-scores, kind="stable"):
            free = overlaps[i].copy()
            free[chosen[chosen >= 0]] = -1.0
            if len(free) and free.max() >= min_iou:
                chosen[i] = int(free.argmax())
        found.append(chosen)
    return found


def average_precision(detections: Sequence[Detections], truth: Sequence[Boxes], min_iou: float = 0.5) -> float:
    """Area under precision over recall, precision made monotonous first (VOC 2010 and later)."""
    people = sum(len(boxes) for boxes in truth)
    scores = np.concatenate([scores for _, scores in detections])
    right = np.concatenate(matches(detections, truth, min_iou)) >= 0
    right = right[np.argsort(-scores, kind="stable")]
    if not people or not len(right):
        return 0.0
    found = np.cumsum(right)
    precision = found / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    return float((envelope * right).sum() / people)


def threshold_at(detections: Sequence[Detections], truth: Sequence[Boxes], false_per_picture: float = 1.0) -> float:
    """Returns the lowest score threshold with at most `false_per_picture` false positives a picture."""
    found = np.concatenate(matches(detections, truth))
    scores = np.concatenate([scores for _, scores in detections])
    wrong = np.sort(scores[found < 0])[::-1]
    allowed = int(false_per_picture * len(truth))
    return 0.0 if len(wrong) <= allowed else float(np.nextafter(wrong[allowed], np.float32(2.0)))


def above(detections: Sequence[Detections], threshold: float) -> list[Detections]:
    return [(boxes[scores >= threshold], scores[scores >= threshold]) for boxes, scores in detections]


def recall(
    detections: Sequence[Detections], truth: Sequence[Boxes], counted: Sequence[NDArray[np.bool_]] | None = None
) -> float:
    """Share of the true boxes that are matched; of those only that `counted` marks, where given."""
    hit = 0
    for found, boxes, marked in zip(
        matches(detections, truth), truth, counted or [np.ones(len(b), bool) for b in truth], strict=True
    ):
        is_found = np.zeros(len(boxes), bool)
        is_found[found[found >= 0]] = True
        hit += int((is_found & marked).sum())
    total = sum(len(b) for b in truth) if counted is None else sum(int(m.sum()) for m in counted)
    return hit / max(1, total)


def best_threshold(detections: Sequence[Detections], truth: Sequence[Boxes]) -> tuple[float, float]:
    """The threshold with the highest F1, and that F1."""
    found = np.concatenate(matches(detections, truth)) >= 0
    scores = np.concatenate([scores for _, scores in detections])
    order = np.argsort(-scores, kind="stable")
    people = sum(len(boxes) for boxes in truth)
    f1 = 2 * np.cumsum(found[order]) / (np.arange(1, len(order) + 1) + people)
    best = int(f1.argmax())
    return float(scores[order[best]]), float(f1[best])


def measure(detect: Detect, pictures: BoxedPictures) -> dict[str, float]:
    """All figures of a detector on these pictures.

    Args:
        detect: A picture (H, W, 3) to boxes (n, 4) as x, y, width, height in pixels and scores (n,), after NMS. Low
            scores count in the average precision: they must be among them.
        pictures: With a box for every person.
    """
    return figures_of([detect(image) for image in pictures.images], pictures)


def by_height(pictures: BoxedPictures) -> dict[str, list[NDArray[np.bool_]]]:
    """For each range of heights, which of each picture's boxes are in it."""
    heights = [b[:, 3] / image.shape[0] for b, image in zip(pictures.boxes_px, pictures.images, strict=True)]
    return {name: [(low <= h) & (h < high) for h in heights] for name, (low, high) in HEIGHTS.items()}


def figures_of(detections: Sequence[Detections], pictures: BoxedPictures) -> dict[str, float]:
    """Average precision at two IoUs, and the share of people who are found at one false box a picture, by height."""
    truth = pictures.boxes_px
    at_one = above(detections, threshold_at(detections, truth))
    recalls = {f"recall_{name}": recall(at_one, truth, chosen) for name, chosen in by_height(pictures).items()}
    threshold, f1 = best_threshold(detections, truth)
    return {
        "pictures": len(truth),
        "people": sum(len(boxes) for boxes in truth),
        "ap50": average_precision(detections, truth),
        "ap75": average_precision(detections, truth, 0.75),
        "recall_at_one_false": recall(at_one, truth),
        **recalls,
        "best_f1": f1,
        "best_f1_threshold": threshold,
    }


def detector(
    run: Callable[[NDArray[np.uint8]], Sequence[NDArray[np.float32]]], size: int, nms_iou: float, lowest: float = 0.02
) -> Detect:
    """A network as `measure` takes it: with letterbox and NMS around it.

    Args:
        run: The network: a letterboxed picture (1, S, S, 3), uint8, to boxes (1, N, 4) in 0..1 and scores (1, N).
        size: S.
        nms_iou: IoU above which the box with the lower score is dropped.
        lowest: Boxes with lower scores are left out.
    """

    def detect(image: Picture) -> Detections:
        boxes, scores = (np.asarray(output[0], np.float32) for output in run(letterbox(image, size)[None]))
        boxes, scores = boxes[scores >= lowest] * max(image.shape[:2]), scores[scores >= lowest]
        kept = nms(boxes, scores, nms_iou)
        return boxes[kept], scores[kept]

    return detect


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/lite"), help="folder of person_checkpoint.pt")
    parser.add_argument("--onnx", type=Path, help="measures this file in ONNX Runtime instead of the checkpoint")
    arguments = parser.parse_args()
    from models.lite.person import network as person_network  # torch is not needed to measure a running service

    if arguments.onnx:
        import onnxruntime

        session = onnxruntime.InferenceSession(str(arguments.onnx), providers=["CPUExecutionProvider"])
        detect = detector(
            lambda image: session.run([BOXES, BOX_SCORES], {IMAGE: image}),
            person_network.PERSON_SIZE,
            person_network.NMS_IOU,
        )
    else:
        from models.lite.person.train import as_detector
        from models.lite.training import checkpoint, trained

        detect = as_detector(trained(person_network.PersonNetwork(), checkpoint(arguments.out, "person")))
    print(json.dumps(measure(detect, load_validation(arguments.data)), indent=1))


if __name__ == "__main__":
    main()
