"""Who is found in pictures without boxes: crowds, one person, small ones, nobody."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
from deephar import Client
from deephar.results import Person
from numpy.typing import NDArray

from bench.accuracy.pose import Floats, Image, ask, pck, png
from models.lite.frame import data as pose_data
from models.lite.frame.torso import torso_size
from models.lite.person import data as person_data
from models.lite.person import evaluate as evaluate_person
from models.lite.person.data import BoxedPictures
from service.vision.boxes import as_rows, box_around, iou
from service.vision.layouts import LAYOUTS

SMALL_PEOPLE = 100
SMALL_HEIGHT, PICTURE_HEIGHT = 0.25, 480  # of the picture; pixels
SEEN_OVERLAP = 0.4


def measure(client: Client, data: Path) -> dict[str, Any]:
    people, places = pose_data.load_held_out(data), pose_data.load_backgrounds(data)
    return {
        "pck": pck(ask(client, people, with_boxes=False), list(LAYOUTS["pa16"].joints)),
        "crowds": measure_crowds(client, person_data.load_validation(data)),
        "small": measure_small(client, pose_data.select(people, range(SMALL_PEOPLE)), places),
        "nobody": measure_nobody(client, pose_data.load_empty_boxed(data, split=1)),
    }


def measure_crowds(client: Client, pictures: BoxedPictures) -> dict[str, float]:
    """Answers in pictures with a box for every person: the share of people answered, and answers that are nobody."""
    answers = []
    for image in pictures.images:
        people = client.pose(png(image)).people
        boxes = [[p.box.x, p.box.y, p.box.width, p.box.height] for p in people]
        answers.append((np.reshape(boxes, (-1, 4)).astype(np.float32), np.array([p.score for p in people], np.float32)))
    truth = pictures.boxes_px
    matched = np.concatenate(evaluate_person.matches(answers, truth))
    return {
        "pictures": len(truth),
        "answered": evaluate_person.recall(answers, truth),
        **{
            f"answered_{name}": evaluate_person.recall(answers, truth, chosen)
            for name, chosen in evaluate_person.by_height(pictures).items()
        },
        "nobody_a_picture": float((matched < 0).sum() / len(truth)),
    }


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
        picture, moved = put_small(image, joints, valid, places[rng.integers(len(places))], rng)
        answers = client.pose(png(picture), layout="pa16").people
        best = max(answers, key=lambda person: overlap(person, moved[valid]), default=None)
        found += best is not None and overlap(best, moved[valid]) >= SEEN_OVERLAP
        keypoints = best.to_numpy().keypoints[0, :, :2] if best else np.full((16, 2), np.inf)
        near = np.linalg.norm(keypoints - moved, axis=1) < pose_data.HIT_TORSO * torso_size(moved, valid)
        hits.append(near[pose_data.LSP_TO_PA16][valid[pose_data.LSP_TO_PA16]])
    return {
        "people": len(people.images),
        "found": found / len(people.images),
        "pck": float(np.concatenate(hits).mean()),
    }


def put_small(
    image: Image,
    joints: Floats,
    valid: NDArray[np.bool_],
    place: Image,
    rng: np.random.Generator,
    height: float = SMALL_HEIGHT,
) -> tuple[Image, Floats]:
    """The place with the person in it, whose larger side is `height` of it, and where their joints are then."""
    scale = PICTURE_HEIGHT / place.shape[0]
    width = max(round(place.shape[1] * scale), PICTURE_HEIGHT)
    picture = cv2.resize(place, (width, PICTURE_HEIGHT), interpolation=cv2.INTER_AREA)
    extent = np.ptp(joints[valid], axis=0).max()
    shrink = height * PICTURE_HEIGHT / float(extent)
    small = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
    rows, columns = min(small.shape[0], PICTURE_HEIGHT), min(small.shape[1], width)
    top, left = rng.integers(PICTURE_HEIGHT - rows + 1), rng.integers(width - columns + 1)
    picture[top : top + rows, left : left + columns] = small[:rows, :columns]
    return np.asarray(picture, np.uint8), (joints * shrink + [left, top]).astype(np.float32)


def overlap(person: Person, joints: Floats) -> float:
    """Returns the intersection over union of the answered joints' box and the labelled joints' box."""
    found = person.to_numpy().keypoints[0, :, :2].astype(np.float32)
    return float(iou(as_rows([box_around(found)]), as_rows([box_around(joints)]))[0, 0])
