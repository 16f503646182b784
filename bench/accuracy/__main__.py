"""The accuracy of the served model `lite` on real people, real clips and real movements.

    make evaluate-lite

Starts a service and sends requests to it. Single networks are run in the same Triton; the lift, a part of the frame
network, in ONNX Runtime. Needs the data of `make train-lite`. Also writes the figures to build/lite/figures.json, and
the plots of the model card.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import cv2
from deephar import Client

from bench.accuracy import breakdown, card_pictures, clips, command_line, lift, pose, search
from bench.accuracy.served_networks import ServedNetworks
from models.lite.clip import evaluate as evaluate_clip
from models.lite.frame import data as pose_data
from models.lite.person import data as person_data
from models.lite.person import evaluate as evaluate_person
from service.testing.running import ROOT, running_service
from service.vision.layouts import LAYOUTS

CARD = ROOT / "models" / "lite"


def measure(data: Path) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    names = list(LAYOUTS["pa16"].joints)
    people = pose_data.load_held_out(data)
    with running_service() as service, Client(service.grpc_address) as client:
        networks = ServedNetworks(service.triton_address())
        answers = pose.ask(client, people, with_boxes=True)
        figures["joints"] = {
            "pck": pose.pck(answers, names),
            "pck_flip": pose.pck(pose.ask(client, people, with_boxes=True, flip=True), names),
            "calibration_error": pose.calibration_error(answers),
            **breakdown.measure(answers),
        }
        figures["without_boxes"] = search.measure(client, data)
        figures["people"] = evaluate_person.measure(networks.detector(), person_data.load_validation(data))
        bank = answers.error_bank()
        figures["lift"] = lift.measure(data, bank)
        figures["actions"] = evaluate_clip.evaluate(networks.scores_of, data, bank)
        figures["real_clips"] = clips.measure(client, data / "clips")
    card_pictures.failures(answers, CARD / "failures.png")
    cv2.imwrite(str(CARD / "reliability.png"), breakdown.reliability(answers))
    card_pictures.confusion_matrix(figures["actions"]["real"], CARD / "confusion.png")
    with tempfile.TemporaryDirectory() as folder:
        repository = Path(folder) / "without_detector"
        shutil.copytree(ROOT / "model_repository", repository, ignore=shutil.ignore_patterns("person"))
        with (
            running_service(model_repository=str(repository)) as service,
            Client(service.grpc_address) as client,
        ):
            figures["without_detector"] = search.measure(client, data)
    return figures


def main() -> None:
    arguments = command_line.parse(__doc__, out=Path("build/lite"))
    figures = measure(arguments.data)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "figures.json").write_text(json.dumps(figures, indent=1))
    for part in figures["actions"].values():
        part.pop("confusion_matrix", None)
    real_clips = figures.pop("real_clips")
    print(json.dumps(figures, indent=1))
    print(f"real clips: {sum(truth == named for _, truth, named, _ in real_clips)} of {len(real_clips)} named right")
    for file, truth, named, score in real_clips:
        print(f"  {'+' if truth == named else '-'} {file:26} {truth:16} {named:16} {score:.2f}")


if __name__ == "__main__":
    main()
