"""What a person's score says, and what a threshold keeps: the diagram and the table of docs/scores.md.

    .venv/bin/python -m bench.accuracy.person_scores

Starts a service. The diagrams are of LSP's held-out people who did not fit the scores; the table is of the validation
pictures, in which each person has a box.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from deephar import Client
from deephar.results import Person
from numpy.typing import NDArray

from bench.accuracy import command_line
from bench.accuracy.pose import Floats, ask, png
from bench.accuracy.reliability import diagram
from bench.accuracy.search import SEEN_OVERLAP, overlap
from models.lite.frame import data as pose_data
from models.lite.frame.calibration import expected_calibration_error
from models.lite.frame.data import LSP_TO_PA16, People
from models.lite.frame.torso import torso_size
from models.lite.person import data as person_data
from models.lite.person import evaluate
from models.lite.person.data import BoxedPictures
from service.testing.running import ROOT, running_service

PICTURE = ROOT / "docs" / "pictures" / "reliability.png"
THRESHOLDS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
PERSON_BARS = 5
_Scores = NDArray[np.float64]


def measured_people(data: Path) -> People:
    """LSP's held-out people that the scores were not fitted to: every other one."""
    people = pose_data.load_held_out(data)
    return pose_data.select(people, range(1, len(people.images), 2))


def of_people(client: Client, people: People) -> tuple[_Scores, _Scores]:
    """Returns scores of answers that are of the labelled people, and the share of their joints that are right."""
    scores, shares = [], []
    for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
        for person in client.pose(png(image), layout="pa16", min_score=0).people:
            if overlap(person, joints[valid]) >= SEEN_OVERLAP:
                scores.append(person.score)
                shares.append(_share_right(person, joints, valid))
    return np.array(scores), np.array(shares)


def _share_right(person: Person, joints: Floats, valid: NDArray[np.bool_]) -> float:
    distance = np.linalg.norm(person.to_numpy().keypoints[0, :, :2] - joints, axis=1)
    near = distance < pose_data.HIT_TORSO * torso_size(joints, valid)
    return float(near[LSP_TO_PA16][valid[LSP_TO_PA16]].mean())


def answered(client: Client, pictures: BoxedPictures, min_score: float | None) -> list[evaluate.Detections]:
    """Returns boxes and scores of the people in each picture."""
    answers = []
    for image in pictures.images:
        people = client.pose(png(image), min_score=min_score).people
        answers.append((_boxes(people), np.array([person.score for person in people], np.float32)))
    return answers


def thresholds(
    answers: list[evaluate.Detections], default: list[evaluate.Detections], pictures: BoxedPictures
) -> list[str]:
    """Returns the rows of the table: what `min_score` keeps of the people, and of the answers that are nobody."""
    everybody = _counts(answers, pictures)
    rows = [_row("absent", _counts(default, pictures), everybody, pictures)]
    for threshold in THRESHOLDS:
        kept = evaluate.above(answers, threshold)
        rows.append(_row(f"{threshold:g}", _counts(kept, pictures), everybody, pictures))
    return rows


def _boxes(people: tuple[Person, ...]) -> Floats:
    rows = [[person.box.x, person.box.y, person.box.width, person.box.height] for person in people]
    return np.reshape(rows, (-1, 4)).astype(np.float32)


def _counts(answers: list[evaluate.Detections], pictures: BoxedPictures) -> tuple[int, int]:
    """Returns how many answers are people (IoU 0.5 with a box), and how many are nobody."""
    matched = np.concatenate(evaluate.matches(answers, pictures.boxes_px))
    return int((matched >= 0).sum()), int((matched < 0).sum())


def _row(name: str, counts: tuple[int, int], everybody: tuple[int, int], pictures: BoxedPictures) -> str:
    (people, nobody), (all_people, all_nobody) = counts, everybody
    labelled = sum(map(len, pictures.boxes_px))
    shares = people / all_people, nobody / all_nobody, people / max(people + nobody, 1), people / labelled
    return f"| {name} | " + " | ".join(f"{100 * share:.0f} %" for share in shares) + " |"


def main() -> None:
    arguments = command_line.parse(__doc__, out=Path("build/lite"))
    people = measured_people(arguments.data)
    with running_service() as service, Client(service.grpc_address) as client:
        answers = ask(client, people, with_boxes=True)
        valid = people.valid[:, LSP_TO_PA16]
        joint_scores, joint_hits = answers.scores[:, LSP_TO_PA16][valid], answers.hits[:, LSP_TO_PA16][valid]
        scores, shares = of_people(client, people)
        pictures = person_data.load_validation(arguments.data)
        everybody, default = answered(client, pictures, min_score=0), answered(client, pictures, min_score=None)
    rows = thresholds(everybody, default, pictures)
    all_scores = np.concatenate([of_picture for _, of_picture in everybody])
    is_person = np.concatenate(evaluate.matches(everybody, pictures.boxes_px)) >= 0
    joints = diagram(joint_scores, joint_hits, "joints' score (how many): share within 0.2 torso")
    persons = diagram(scores, shares, "people's score: share of joints that are right", PERSON_BARS)
    boxes = diagram(all_scores, is_person, "people's score: share of answers that are people")
    PICTURE.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(PICTURE), np.hstack([joints, persons, boxes]))
    print(f"joints: {len(joint_scores)}, calibration error {expected_calibration_error(joint_scores, joint_hits):.3f}")
    print(f"people: {len(scores)}, calibration error {expected_calibration_error(scores, shares):.3f}")
    for low in (0.0, 0.3, 0.5, 0.7, 0.9):
        chosen = scores >= low
        print(f"score from {low}: {chosen.sum()} people, joints right {shares[chosen].mean():.3f}")
    print("| `min_score` | found people kept | nobody kept | of the answers are people | of all people |")
    print("\n".join(rows))


if __name__ == "__main__":
    main()
