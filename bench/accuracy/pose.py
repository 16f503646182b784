"""How right the served joints are, and how honest their scores: people of LSP that were kept out of training."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import cv2
import numpy as np
from deephar import Client
from numpy.typing import NDArray

from models.lite.frame import data as pose_data
from models.lite.frame.calibration import expected_calibration_error
from models.lite.frame.error_bank import ErrorBank, bank_of
from service.vision.boxes import box_around

JOINTS = ("head", "neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")

Image = NDArray[np.uint8]
Floats = NDArray[np.float32]


def png(image: Image) -> bytes:
    return cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()


@dataclass(frozen=True)
class Answers:
    """Of N people with labels: the first person that the service answers, in pa16."""

    people: pose_data.People
    keypoints_px: Floats  # (N, 16, 2); infinite where nobody was found
    scores: Floats  # (N, 16)

    @property
    def hits(self) -> NDArray[np.bool_]:
        """(N, 16) within 0.2 torso of the label."""
        return pose_data.hits(self.people, self.keypoints_px)

    def error_bank(self) -> ErrorBank:
        return bank_of(self.people, self.keypoints_px, self.scores)


def ask(client: Client, people: pose_data.People, with_boxes: bool, flip: bool = False) -> Answers:
    keypoints = np.full((len(people.images), 16, 2), np.inf, np.float32)
    scores = np.zeros((len(people.images), 16), np.float32)
    for i, (image, joints, valid) in enumerate(zip(people.images, people.joints, people.valid, strict=True)):
        boxes = [astuple(box_around(joints[valid]))] if with_boxes else []
        answer = client.pose(png(image), boxes=boxes, layout="pa16", flip=flip)
        if answer.people:
            arrays = answer.people[0].to_numpy()
            keypoints[i], scores[i] = arrays.keypoints[0, :, :2], arrays.scores[0]
    return Answers(people, keypoints, scores)


def pck(answers: Answers, names: list[str]) -> dict[str, float]:
    """PCK@0.2 (torso) of LSP's 14 joints: over all of them, and per kind of joint; `names` are pa16's."""
    hits, valid = answers.hits, answers.people.valid
    measured = np.isin(np.arange(16), pose_data.LSP_TO_PA16)
    figures = {"all": float(hits[:, measured][valid[:, measured]].mean())}
    for kind in JOINTS:
        of_kind = np.array([name.split("_")[-1] == kind for name in names]) & measured
        figures[kind] = float(hits[:, of_kind][valid[:, of_kind]].mean())
    return figures


def calibration_error(answers: Answers) -> float:
    """Expected calibration error of the scores of LSP's 14 joints."""
    measured = pose_data.LSP_TO_PA16
    valid = answers.people.valid[:, measured]
    return expected_calibration_error(answers.scores[:, measured][valid], answers.hits[:, measured][valid])
