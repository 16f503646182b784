"""Actions of a user's own: learned from what a running service sees, and served by it at once, as computed offline."""

from __future__ import annotations

import csv
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from deephar import Client

from service.testing.ports import free_loopback_port
from service.testing.running import ROOT, ServiceProcess, running_service
from tests.conftest import SAMPLES

pytestmark = pytest.mark.networks

PYTHON = ROOT / ".venv-models" / "bin" / "python"
# Two videos of each action, and two of none of them: parts of a second or two, for a fast test.
CLIPS = (
    ("jumping_jacks_2.mp4", "jump", 0.0, 3.0),
    ("jumping_jacks_7.mp4", "jump", 0.0, 1.7),
    ("squat_1.mp4", "squat", 0.0, 1.6),
    ("squat_10.mp4", "squat", 1.0, 4.0),
    ("pushup_1.mp4", "none", 0.0, 2.4),
)
STEPS = 40
NEAR = 0.02  # of scores: weights are rounded, and Triton may compute in bf16


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not (ROOT / ".venv-models" / "done").exists():
        pytest.skip("the models' environment is not set up (make models)")
    folder = tmp_path_factory.mktemp("models") / "repository"
    folder.mkdir()
    for network in ("lite_frame", "lite_clip", "person"):
        (folder / network).symlink_to(ROOT / "model_repository" / network)
    return folder


@pytest.fixture(scope="module")
def service(repository: Path) -> Iterator[ServiceProcess]:
    with running_service(model_repository=str(repository)) as running:
        yield running


def train(repository: Path, videos: Path, labels: Path, address: str, *options: str) -> tuple[int, str, str]:
    """Exit status, output and errors of the command, whose cache is beside the repository."""
    arguments = ["--videos", str(videos), "--labels", str(labels), "--address", address, *options]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")}
    environment |= {"DEEPHAR_MODEL_REPOSITORY": str(repository), "DEEPHAR_CACHE": str(repository.parent / "cache")}
    done = subprocess.run(
        [PYTHON, "-m", "models.cli", "train-actions", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    return done.returncode, done.stdout, done.stderr


def test_own_actions_are_learned_and_served_as_computed(
    service: ServiceProcess, repository: Path, shared_data: Path, tmp_path: Path
) -> None:
    labels, out = tmp_path / "labels.csv", tmp_path / "report"
    with labels.open("w", newline="") as file:
        csv.writer(file).writerows([("file", "label", "start_s", "end_s"), *CLIPS])
    options = ("--name", "gym", "--steps", str(STEPS), "--out", str(out))
    status, said, errors = train(repository, shared_data / "clips", labels, service.grpc_address, *options)
    assert status == 0, errors
    assert "serves gym" in said, said + errors
    record = json.loads((out / "report.json").read_text())
    assert record["clips"] == len(CLIPS)
    assert {path.name for path in out.iterdir()} == {"report.txt", "report.json", "predictions.csv", "confusion.png"}
    difference = float(said.rsplit(" to ", 1)[1])
    assert difference < NEAR
    with Client(service.grpc_address) as client:
        served = {model.name: model for model in client.models()}
        assert served["gym"].actions == ("jump", "squat")
        answer = client.classify(SAMPLES / "jumping_jacks.mp4", model="gym")  # a video that it has never seen
    assert answer.actions[0].label == "jump"
    assert sum(action.score for action in answer.actions) <= 1 + 1e-5

    nobody = f"127.0.0.1:{free_loopback_port()}"  # a second training needs no service: what it saw was kept
    again = ("--name", "gym2", "--steps", "10", "--out", str(tmp_path / "again"), "--seed", "1")
    status, said, errors = train(repository, shared_data / "clips", labels, nobody, *again)
    assert status == 0, errors
    assert "no service at" in said
