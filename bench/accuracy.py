"""The accuracy of the served model `lite` on real people, real clips and real movements.

    make evaluate-lite

Starts a service of its own and asks it as a user would; single networks are asked through the same Triton, the lift
(a part of one) in ONNX Runtime. Needs the data of `make train-lite`. Figures go to build/lite/figures.json too, and the
model card's pictures are drawn anew.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from deephar import Client
from deephar.v1 import inference_pb2 as pb
from deephar.video import frames_of

from bench import card_pictures, lift_accuracy, pose_accuracy
from bench.served_networks import ServedNetworks
from models.lite.clip import evaluate as evaluate_clip
from models.lite.frame import data as pose_data
from models.lite.layout import ACTIONS
from models.lite.person import data as person_data
from models.lite.person import evaluate as evaluate_person
from service.testing.running import ROOT, running_service
from service.vision.layouts import LAYOUTS

SMALL_PEOPLE = 100
CARD = ROOT / "models" / "lite"


def measure_clips(client: Client, folder: Path) -> list[tuple[str, str, str, float]]:
    """File, its class, the class that the service names, and that one's score."""
    rows = []
    with (folder / "manifest.csv").open() as manifest:
        for line in csv.DictReader(manifest):
            if line["label"] in ACTIONS:
                best = client.classify(frames_of(str(folder / line["file"])), pb.StreamConfig()).actions[0]
                rows.append((line["file"], line["label"], best.label, best.score))
    return rows


def measure_search(client: Client, data: Path) -> dict[str, Any]:
    """People found without boxes, in held-out pictures of one, and small ones in pictures of streets and landscapes."""
    names = list(LAYOUTS["pa16"].joints)
    people = pose_data.load_held_out(data)
    places = pose_data.load_backgrounds(data)
    return {
        "pck": pose_accuracy.pck(pose_accuracy.ask(client, people, with_boxes=False), names),
        "small": pose_accuracy.measure_small(client, pose_data.select(people, range(SMALL_PEOPLE)), places),
        "nobody": pose_accuracy.measure_nobody(client, pose_data.load_empty_boxed(data, split=1)),
    }


def measure(data: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    names = list(LAYOUTS["pa16"].joints)
    people = pose_data.load_held_out(data)
    with running_service() as service, Client(service.grpc_address) as client:
        networks = ServedNetworks(service.triton_address())
        answers = pose_accuracy.ask(client, people, with_boxes=True)
        figures["joints"] = {
            "pck": pose_accuracy.pck(answers, names),
            "pck_flip": pose_accuracy.pck(pose_accuracy.ask(client, people, with_boxes=True, flip=True), names),
            "calibration_error": pose_accuracy.calibration_error(answers),
        }
        figures["without_boxes"] = measure_search(client, data)
        figures["people"] = evaluate_person.measure(networks.detector(), person_data.load_validation(data))
        bank = answers.error_bank()
        figures["lift"] = lift_accuracy.measure(data, bank)
        figures["actions"] = evaluate_clip.evaluate(networks.scores_of, data, bank)
        figures["real_clips"] = measure_clips(client, data / "clips")
    card_pictures.failures(answers, CARD / "failures.png")
    card_pictures.confusion_matrix(figures["actions"]["real"], CARD / "confusion.png")
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "without_detector"
        shutil.copytree(ROOT / "model_repository", repository, ignore=shutil.ignore_patterns("person"))
        with (
            running_service(model_repository=str(repository)) as service,
            Client(service.grpc_address) as client,
        ):
            figures["without_detector"] = measure_search(client, data)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/lite"))
    arguments = parser.parse_args()
    figures = measure(arguments.data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "figures.json").write_text(json.dumps(figures, indent=1))
    for part in figures["actions"].values():
        part.pop("confusion_matrix", None)
    clips = figures.pop("real_clips")
    print(json.dumps(figures, indent=1))
    print(f"real clips: {sum(truth == named for _, truth, named, _ in clips)} of {len(clips)} named right")
    for file, truth, named, score in clips:
        print(f"  {'+' if truth == named else '-'} {file:26} {truth:16} {named:16} {score:.2f}")


if __name__ == "__main__":
    main()
