"""How right the served joints are, and how honest their scores: people of LSP that were kept out of training."""

from __future__ import annotations

from dataclasses import astuple, dataclass

import cv2
import numpy as np
from deephar import Client
from deephar.v1 import inference_pb2 as pb
from numpy.typing import NDArray

from models.lite.frame import data as pose_data
from models.lite.frame.calibration import expected_calibration_error
from models.lite.frame.error_bank import ErrorBank, bank_of
from models.lite.frame.torso import torso_size
from service.vision.boxes import as_rows, box_around, iou

JOINTS = ("head", "neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")
SMALL_HEIGHT, PICTURE_HEIGHT = 0.25, 480  # of the picture; pixels
SEEN_OVERLAP = 0.4

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
            keypoints[i] = [[k.x, k.y] for k in answer.people[0].keypoints]
            scores[i] = [k.score for k in answer.people[0].keypoints]
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


def measure_nobody(client: Client, pictures: list[Image]) -> dict[str, float]:
    """What is said of pictures without people: the joints' mean score in the whole picture, and people found."""
    scores, found = [], 0
    for picture in pictures:
        height, width = picture.shape[:2]
        (person,) = client.pose(png(picture), boxes=[(0, 0, width, height)]).people
        scores.append(np.mean([k.score for k in person.keypoints]))
        found += len(client.pose(png(picture)).people)
    return {
        "pictures": len(pictures),
        "mean_score": float(np.mean(scores)),
        "median_score": float(np.median(scores)),
        "people_a_picture": found / len(pictures),
    }


def measure_small(client: Client, people: pose_data.People, places: list[Image]) -> dict[str, float]:
    """People a quarter of the picture's height, put anywhere into photographs: share found, and PCK of the nearest."""
    rng = np.random.default_rng(5)
    found, hits = 0, []
    for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
        picture, moved = _put_small(image, joints, valid, places[rng.integers(len(places))], rng)
        answers = client.pose(png(picture), layout="pa16").people
        best = max(answers, key=lambda person: _overlap(person, moved[valid]), default=None)
        found += best is not None and _overlap(best, moved[valid]) >= SEEN_OVERLAP
        keypoints = np.array([[k.x, k.y] for k in best.keypoints]) if best else np.full((16, 2), np.inf)
        near = np.linalg.norm(keypoints - moved, axis=1) < pose_data.HIT_TORSO * torso_size(moved, valid)
        hits.append(near[pose_data.LSP_TO_PA16][valid[pose_data.LSP_TO_PA16]])
    return {
        "people": len(people.images),
        "found": found / len(people.images),
        "pck": float(np.concatenate(hits).mean()),
    }


def _put_small(
    image: Image, joints: Floats, valid: NDArray[np.bool_], place: Image, rng: np.random.Generator
) -> tuple[Image, Floats]:
    """The picture with the person in it, and where their joints are then."""
    scale = PICTURE_HEIGHT / place.shape[0]
    width = max(round(place.shape[1] * scale), PICTURE_HEIGHT)
    picture = cv2.resize(place, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA)
    extent = np.ptp(joints[valid], axis=0).max()
    shrink = SMALL_HEIGHT * PICTURE_HEIGHT / float(extent)
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    rows, columns = min(small.shape[0], PICTURE_HEIGHT), min(small.shape[1], width)
    top, left = rng.integers(PICTURE_HEIGHT - rows + 1), rng.integers(width - columns + 1)
    picture[top : top + rows, left : left + columns] = small[:rows, :columns]
    return np.asarray(picture, np.uint8), (joints * shrink + [left, top]).astype(np.float32)


def _overlap(person: pb.Person, joints: Floats) -> float:
    """Intersection over union of the answered joints' box and the labelled joints' box."""
    found = np.array([[k.x, k.y] for k in person.keypoints], np.float32)
    return float(iou(as_rows([box_around(found)]), as_rows([box_around(joints)]))[0, 0])
