"""Boxes of a data set by a Triton's detector are those of ONNX Runtime's."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from service.testing.running import running_service
from tests.conftest import ROOT

PYTHON = ROOT / ".venv-models" / "bin" / "python"
MAKE = """
import sys
from pathlib import Path
from PIL import Image
from tests.conftest import SAMPLES
from tests.models.datasets import made_penn
folder = Path(sys.argv[1])
made_penn.make(folder, train=1, test=1, frames=40, size=(320, 240))
person = Image.open(SAMPLES / "person.jpg").convert("RGB").resize((320, 240))
for number, picture in enumerate(sorted(folder.glob("frames/*/*.jpg"))):
    moved = Image.new("RGB", (320, 240))
    moved.paste(person, (number % 40 - 20, 0))
    moved.save(picture)
"""


def run(*arguments: str | Path) -> str:
    done = subprocess.run([PYTHON, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(not PYTHON.exists(), reason="needs .venv-models, which `make test` sets up")
def test_boxes_by_a_triton_are_those_of_onnx_runtime(tmp_path: Path) -> None:
    run("-c", MAKE, tmp_path)
    command = ("-m", "models.cli", "data", "boxes", "penn", "--data", tmp_path, "--out")
    run(*command, tmp_path / "onnx.json")
    with running_service() as service:
        told = run(*command, tmp_path / "triton.json", "--target", service.triton_address())
    assert "the person was found in 80" in told
    ours, theirs = (json.loads((tmp_path / f"{target}.json").read_text()) for target in ("onnx", "triton"))
    for split in (0, 1):
        assert list(ours[split]) == list(theirs[split]) == [f"0.{frame}" for frame in range(40)]
        # Boxes are cut to whole pixels: where one lies at a border, the last bits of a network's output decide.
        assert np.abs(np.array(list(ours[split].values())) - list(theirs[split].values())).max() <= 1
