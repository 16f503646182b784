"""Fits how the detection's and the joints' scores make a person's score: the share of joints that are right.

    python -m models.lite.score_rule --data ../shared/data --out build/lite

On detections in pictures that no network was trained on: half of LSP's held-out people, with their labels, and everyday
pictures with a box for every person, with the joints that the teacher is sure of. Where nobody is no joint is right.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass

import numpy as np

from models.lite import platt
from models.lite.frame.calibration import Calibration, expected_calibration_error
from models.lite.frame.known_people import FITTED, MEASURED, Known, everyday_people, held_out_people, look
from models.lite.frame.network import FrameNetwork
from models.lite.person.evaluate import Detect
from models.lite.person.network import SCORE_THRESHOLD, PersonNetwork
from models.lite.person.train import as_detector
from models.lite.training import checkpoint, command_line, trained
from service.networks.score_rule import ScoreRule
from service.vision.boxes import iou

FILE = "score_rule.json"
SOMEBODY = 0.3  # IoU of a detection with a person's box from which it is of that person
LABELLED_WEIGHT = 3.0  # of people with labels, over those with the teacher's joints


@dataclass(frozen=True)
class Detected:
    """A detection: its score, the mean of the joints' scores, and the share of the joints that are right."""

    detection: float
    keypoints: float
    right: float


def detections(
    detect: Detect, network: FrameNetwork, calibration: Calibration, pictures: Iterable[Known]
) -> Iterator[Detected]:
    """Detections from the default threshold on. People with too few known joints are left out."""
    for picture in pictures:
        boxes, scores = detect(picture.image)
        boxes, scores = boxes[scores >= SCORE_THRESHOLD], scores[scores >= SCORE_THRESHOLD]
        overlaps = iou(boxes, picture.boxes_px)
        for box, score, overlap in zip(boxes, scores, overlaps, strict=True):
            is_somebody = overlap.max(initial=0) >= SOMEBODY
            if not is_somebody and not picture.everybody:
                continue
            joints, logits = look(network, picture.image, box)
            share = 0.0
            if is_somebody:
                person = int(overlap.argmax())
                right = picture.right(person, joints)
                if right is None:
                    continue
                share = float(right.sum() / picture.known[person].sum())
            yield Detected(float(score), float(calibration.scores(logits).mean()), share)


def scores_of(rule: ScoreRule, some: list[Detected]) -> platt.Array:
    """(N,), as the service makes them."""
    return rule.score(np.array([each.keypoints for each in some]), np.array([each.detection for each in some]))


def rule_of(parameters: platt.Array) -> ScoreRule:
    return ScoreRule(*map(float, parameters))


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    data, out = arguments.data, arguments.out
    network, calibration = trained(FrameNetwork(), checkpoint(out, "frame")), Calibration.load(out)
    detect = as_detector(trained(PersonNetwork(), checkpoint(out, "person")))

    def detected(pictures: Iterable[Known]) -> list[Detected]:
        return list(detections(detect, network, calibration, pictures))

    labelled, taught = detected(held_out_people(data, FITTED)), detected(everyday_people(data, out))
    fitted = labelled + taught
    right = np.array([each.right for each in fitted])
    weight = np.repeat([LABELLED_WEIGHT, 1.0], [len(labelled), len(taught)])
    start = np.array([0.0, 1.0, 0.0])
    rule = rule_of(platt.fit(lambda parameters: scores_of(rule_of(parameters), fitted), right, start, weight))
    (out / FILE).write_text(json.dumps(asdict(rule)))
    others = detected(held_out_people(data, MEASURED))
    error = expected_calibration_error(scores_of(rule, others), np.array([each.right for each in others]))
    print(f"{rule} on {len(fitted)} detections, expected calibration error on other people {100 * error:.1f} %")


if __name__ == "__main__":
    main()
