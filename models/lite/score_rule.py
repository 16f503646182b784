"""Fits how the detection's and the joints' scores make a person's score: the share of joints that are right.

    python -m models.lite.score_rule --data ../shared/data --out build/lite

On detections in pictures that no network was trained on: half of LSP's held-out people, with their labels, and everyday
pictures with a box for every person, with the joints that the teacher is sure of. What is nobody has no right joint.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.deephar.pixels import to_network_range
from models.lite import platt
from models.lite.frame import data as pose_data
from models.lite.frame.calibrate import FITTED, MEASURED
from models.lite.frame.calibration import Calibration, expected_calibration_error
from models.lite.frame.labels import SURE
from models.lite.frame.network import INPUT_SIZE, FrameNetwork, likeliest_position
from models.lite.frame.torso import torso_size
from models.lite.layout import LIMBS
from models.lite.movenet import taught
from models.lite.person.evaluate import Detect, matches
from models.lite.person.network import SCORE_THRESHOLD, PersonNetwork
from models.lite.person.train import as_detector
from models.lite.training import checkpoint, command_line, trained
from service.vision.crops import JOINTS_OVER_BODY

FILE = "score_rule.json"
SMALLEST = 1e-3  # distance of a probability from 0 and 1, as in the service
LEAST_JOINTS = 6  # of a person, known, to say what share of them is right

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Known:
    """A picture, the boxes (n, 4) of all people in it, and what is known of their joints: (n, 16, 2), (n, 16)."""

    image: NDArray[np.uint8]
    boxes_px: Floats
    joints_px: Floats
    known: Bools


@dataclass(frozen=True)
class Detected:
    """A detection: its score, the mean of the joints' scores, and the share of the joints that are right."""

    detection: float
    keypoints: float
    right: float


def held_out_people(data: Path, chosen: slice) -> Iterator[Known]:
    """Of LSP's held-out people the chosen ones."""
    people = pose_data.load_held_out(data)
    for image, joints, valid in list(zip(people.images, people.joints, people.valid, strict=True))[chosen]:
        low, high = joints[valid].min(0), joints[valid].max(0)
        measured = np.isin(np.arange(len(valid)), pose_data.LSP_TO_PA16) & valid
        yield Known(image, np.concatenate([low, high - low])[None], joints[None], measured[None])


def everyday_people(data: Path, out: Path) -> Iterator[Known]:
    """The pictures that are kept out of training, with the teacher's joints."""
    seen, kept, number = taught.load(out, "boxed"), pose_data.kept_pictures(data), 0
    for part, file in enumerate(pose_data.boxed_files(data, "boxed")):
        held = dict(np.load(file))
        for i in range(len(held["offsets"]) - 1):
            boxes = held["boxes"][held["box_offsets"][i] : held["box_offsets"][i + 1]].astype(np.float32)
            if (part, i) in kept:
                rows = slice(number, number + len(boxes))
                joints, known = np.zeros((len(boxes), 16, 2), np.float32), np.zeros((len(boxes), 16), bool)
                joints[:, LIMBS], known[:, LIMBS] = seen.joints_px[rows], seen.scores[rows] >= SURE
                yield Known(pose_data.decode(held["jpeg"], held["offsets"], i), boxes, joints, known)
            number += len(boxes)


@torch.inference_mode()
def look(
    network: FrameNetwork, calibration: Calibration, image: NDArray[np.uint8], box: Floats
) -> tuple[Floats, float]:
    """Joints (16, 2) in pixels of a detected person, and the mean of their scores."""
    side = max(float(box[2:].max()) * JOINTS_OVER_BODY * pose_data.PERSON_MARGIN, 1.0)
    centre = (box[:2] + box[2:] / 2).astype(np.float32)
    matrix = pose_data.crop_matrix(centre, side, INPUT_SIZE, 0.0, False)
    crop = cv2.warpAffine(image, matrix, (INPUT_SIZE, INPUT_SIZE), flags=cv2.INTER_LINEAR)
    found = network(to_network_range(torch.from_numpy(crop[None])))
    back = cv2.invertAffineTransform(matrix)
    joints = likeliest_position(found.heatmaps)[0].numpy() * INPUT_SIZE
    scores = calibration.scores(found.score_logits.numpy())
    return (joints @ back[:, :2].T + back[:, 2]).astype(np.float32), float(scores.mean())


def detections(
    detect: Detect, network: FrameNetwork, calibration: Calibration, pictures: Iterator[Known]
) -> Iterator[Detected]:
    """All detections from the default threshold on, but of people of whom too few joints are known."""
    for picture in pictures:
        boxes, scores = detect(picture.image)
        boxes, scores = boxes[scores >= SCORE_THRESHOLD], scores[scores >= SCORE_THRESHOLD]
        for box, score, person in zip(
            boxes, scores, matches([(boxes, scores)], [picture.boxes_px])[0].tolist(), strict=True
        ):
            if person >= 0 and picture.known[person].sum() < LEAST_JOINTS:
                continue
            joints, mean = look(network, calibration, picture.image, box)
            right = 0.0
            if person >= 0:
                truth, known = picture.joints_px[person], picture.known[person]
                far = np.linalg.norm(joints - truth, axis=-1) / torso_size(truth, known)
                right = float((far[known] < pose_data.HIT_TORSO).mean())
            yield Detected(float(score), mean, right)


def scores_of(parameters: platt.Array, some: list[Detected]) -> platt.Array:
    """(N,); parameters are bias and the weights of the keypoints' and of the detection's logit."""
    keypoints, detection = (
        platt.logit(np.array([getattr(each, name) for each in some]), SMALLEST) for name in ("keypoints", "detection")
    )
    return platt.sigmoid(parameters[0] + parameters[1] * keypoints + parameters[2] * detection)


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    data, out = arguments.data, arguments.out
    network, calibration = trained(FrameNetwork(), checkpoint(out, "frame")), Calibration.load(out)
    detect = as_detector(trained(PersonNetwork(), checkpoint(out, "person")))

    def detected(pictures: Iterator[Known]) -> list[Detected]:
        return list(detections(detect, network, calibration, pictures))

    fitted = detected(held_out_people(data, FITTED)) + detected(everyday_people(data, out))
    right = np.array([each.right for each in fitted])
    found = platt.fit(lambda parameters: scores_of(parameters, fitted), right, np.array([0.0, 1.0, 0.0]))
    rule = dict(zip(("bias", "keypoints", "detection"), map(float, found), strict=True))
    (out / FILE).write_text(json.dumps(rule))
    others = detected(held_out_people(data, MEASURED))
    error = expected_calibration_error(scores_of(found, others), np.array([each.right for each in others]))
    print(f"{rule} on {len(fitted)} detections, expected calibration error on other people {100 * error:.1f} %")


if __name__ == "__main__":
    main()
