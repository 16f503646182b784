"""`lite` beside free networks on the same people, through a running service.

    make bench-accuracy

Joints: people of LSP that were kept out of training, with their boxes. Agreement: joints of which thunder is sure, of
people with boxes in everyday pictures; it was the teacher of `lite`, so this is no truth. Boxes: the detector's
validation pictures, all of whose people have a box.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from deephar import Client

from bench.accuracy import breakdown, command_line
from bench.accuracy.peers import people as peers
from bench.accuracy.peers.people import OUT, Boxed, Joints
from bench.accuracy.pose import Answers, png
from bench.accuracy.served_networks import ServedNetworks
from models.lite.frame.data import HIT_TORSO, load_held_out
from models.lite.frame.torso import torso_size
from models.lite.layout import LIMBS, NUM_JOINTS
from models.lite.movenet import taught
from models.lite.person import data as person_data
from models.lite.person import evaluate as evaluate_person
from service.testing.running import running_service

PEERS = ("lightning", "thunder", "blazepose")
TEACHER, SURE = "thunder", 0.5
COUNTS = ("pictures", "people")
LEAST_JOINTS = 6  # of twelve, for the teacher to have seen the person

Figures = dict[str, Any]


def ask(client: Client, people: list[Boxed]) -> Joints:
    """What the service says of each person's box."""
    joints, scores = [], []
    for person in people:
        x, y, width, height = map(float, person.box_px)
        (answer,) = client.pose(png(person.image), boxes=[(x, y, width, height)], layout="pa16").people
        limbs = [answer.keypoints[joint] for joint in LIMBS]
        joints.append([[k.x, k.y] for k in limbs])
        scores.append([k.score for k in limbs])
    return Joints(np.array(joints, np.float32), np.array(scores, np.float32))


def measure_held_out(data: Path, joints: Joints) -> Figures:
    """PCK@0.2 of limb joints in all and by view, and the share of exchanged sides."""
    people = load_held_out(data)
    keypoints = np.full((len(people.images), NUM_JOINTS, 2), np.inf, np.float32)
    keypoints[:, LIMBS] = joints.joints_px
    answers = Answers(people, keypoints, np.zeros(keypoints.shape[:2], np.float32))
    hits, valid = answers.hits[:, LIMBS], people.valid[:, LIMBS]
    views = {name: float(hits[chosen][valid[chosen]].mean()) for name, chosen in breakdown.views(answers).items()}
    exchanged = float(breakdown.exchanged(answers)[valid].mean())
    return {"limbs": float(hits[valid].mean()), **views, "sides_exchanged": exchanged}


def agreement(joints: Joints, teacher: Joints) -> float:
    """Share of the joints of which the teacher is sure that are within 0.2 torso of it."""
    seen = (teacher.scores >= SURE).sum(1) >= LEAST_JOINTS
    torso = torso_size(teacher.joints_px, first_joint=int(LIMBS[0]))
    near = np.linalg.norm(joints.joints_px - teacher.joints_px, axis=-1) < HIT_TORSO * torso[:, None]
    return float(near[seen][teacher.scores[seen] >= SURE].mean())


def table(rows: Mapping[str, Figures]) -> str:
    """In Markdown, a row for each network."""
    names = [name for name in next(iter(rows.values())) if name not in COUNTS]
    lines = ["| | " + " | ".join(names) + " |", "|---" * (len(names) + 1) + "|"]
    for network, figures in rows.items():
        lines.append(f"| {network} | " + " | ".join(f"{100 * figures[name]:.1f}" for name in names) + " |")
    return "\n".join(lines)


def main() -> None:
    arguments = command_line.parse(__doc__, out=OUT)
    data, out = arguments.data, arguments.out
    pictures = person_data.load_validation(data)
    with running_service() as service, Client(service.grpc_address) as client:
        own = {name: ask(client, people(data)) for name, people in peers.SETS.items()}
        detect = ServedNetworks(service.triton_address()).detector()
        detections = {"lite's person": [detect(image) for image in pictures.images]}
    detections["multipose"] = taught.load_boxes(out)
    teacher = peers.load(out, TEACHER, "everyday")
    joints = {}
    for network in ("lite", *PEERS):
        on = own if network == "lite" else {name: peers.load(out, network, name) for name in peers.SETS}
        joints[network] = {
            **measure_held_out(data, on["lsp"]),
            "agreement with thunder": agreement(on["everyday"], teacher),
        }
    boxes = {name: evaluate_person.figures_of(found, pictures) for name, found in detections.items()}
    (out / "figures.json").write_text(json.dumps({"joints": joints, "boxes": boxes}, indent=1))
    print(table(joints), table(boxes), sep="\n\n")


if __name__ == "__main__":
    main()
