"""What becomes of a trained checkpoint by the commands that take released files: exported, served, described."""

from __future__ import annotations

import hashlib
import json
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from google.protobuf import text_format
from torch import Tensor
from tritonclient.grpc import InferenceServerClient, InferInput, model_config_pb2
from tritonclient.utils import InferenceServerException

from models import cli
from models.deephar.networks import build
from models.deephar.served import served_parts
from models.files.sample_picture import person_crops
from models.training import checkpoint
from service.testing.ports import free_loopback_port
from tests.models.training.made_mpii_training import ONE_BLOCK, make_small

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.networks


@dataclass(frozen=True)
class Trained:
    """What the commands left."""

    checkpoint: Path
    repository: Path

    def keypoints(self, crops: np.ndarray) -> tuple[Tensor, ...]:
        """Keypoints and their scores as the trained network itself gives them."""
        network = build(ONE_BLOCK)
        network.load_state_dict(checkpoint.read(self.checkpoint)["network"])
        frame, _ = served_parts(network.eval())
        with torch.inference_mode():
            found: tuple[Tensor, ...] = frame(torch.from_numpy(crops))
        return found


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trained]:
    """A tiny training, imported and exported."""
    folder = tmp_path_factory.mktemp("trained")
    out, repository = folder / "out", folder / "repository"
    with pytest.MonkeyPatch.context() as patch:
        data = make_small(folder, patch)
        words = ["train", "mpii", "--data", f"mpii={data}", "--workers", "0", "--no-validation", "--out", str(out)]
        assert cli.main(words) == 0
        assert cli.main(["weights", "import", "mpii", str(out / checkpoint.LAST), "--unchecked"]) == 0
        assert cli.main(["export", "mpii", "--repository", str(repository)]) == 0
        yield Trained(out / checkpoint.LAST, repository)


def test_an_exported_checkpoint_computes_what_was_trained(trained: Trained) -> None:
    session = onnxruntime.InferenceSession(trained.repository / "mpii_frame" / "1" / "model.onnx")
    crops = person_crops([(0, 0), (30, -20)], 256)
    found = session.run(["keypoints", "keypoint_scores"], {"image": crops})
    for ours, theirs in zip(found, trained.keypoints(crops), strict=True):
        assert np.allclose(ours, theirs, atol=1e-4)


def test_triton_serves_an_exported_checkpoint(trained: Trained) -> None:
    port = free_loopback_port()
    command = [
        str(ROOT / ".venv-triton/bin/python"), str(ROOT / "service/embedded_triton/launcher.py"),
        "--repository", str(trained.repository), "--port", str(port),
    ]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as triton:
        try:
            client, deadline = InferenceServerClient(f"127.0.0.1:{port}"), time.monotonic() + 60
            while not is_ready(client):
                assert time.monotonic() < deadline
                assert triton.poll() is None
                time.sleep(0.2)
            crops = person_crops([(0, 0), (30, -20)], 256)
            image = InferInput("image", list(crops.shape), "UINT8")
            image.set_data_from_numpy(crops)
            found = client.infer("mpii_frame", [image]).as_numpy("keypoints")
            client.close()
        finally:
            triton.terminate()
    assert np.abs(found - trained.keypoints(crops)[0].numpy()).max() < 0.02  # bf16 where the processor has it


def is_ready(client: InferenceServerClient) -> bool:
    try:
        return bool(client.is_model_ready("mpii_frame"))
    except InferenceServerException:
        return False


def test_the_card_says_that_it_was_trained_here_and_on_what(trained: Trained) -> None:
    text = (trained.repository / "mpii_frame" / "config.pbtxt").read_text()
    config = text_format.Parse(text, model_config_pb2.ModelConfig())
    card = json.loads(config.parameters["card"].string_value)
    origin = checkpoint.read(trained.checkpoint)["origin"]
    sha256 = hashlib.sha256(trained.checkpoint.read_bytes()).hexdigest()
    assert card["weights"] == (
        f"checkpoint.pt (unchecked, sha256 {sha256}) trained here by the recipe mpii (sha256 {origin.fingerprint}) on "
        f"mpii (sha256 {origin.data['mpii']}): 2 steps, to the end"
    )
    assert card["description"].endswith("; trained here")
    assert card["licence"].startswith("of whoever trained them")
