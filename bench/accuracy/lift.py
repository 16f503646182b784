"""How right the lift of `lite` is on joints that no picture has: exact ones, and ones with the served errors."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from models.lite.frame import error_bank
from models.lite.frame.error_bank import ErrorBank
from service.testing.running import ROOT

MODELS_PYTHON = ROOT / ".venv-models" / "bin" / "python"
FRAME = ROOT / "model_repository" / "lite_frame" / "1" / "model.onnx"


def measure(data: Path, bank: ErrorBank) -> dict[str, Any]:
    """Figures of the committed weights in fp32.

    A service lifts only what its network finds in a picture, so the lift is cut out of the network and run alone, by
    ONNX Runtime in the models' environment.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "bank.npz"
        error_bank.save(bank, file)
        command: list[str | Path] = [MODELS_PYTHON, "-m", "models.lite.lift.evaluate"]
        command += ["--data", data.resolve(), "--weights", FRAME, "--bank", file]
        done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    figures: dict[str, Any] = json.loads(done.stdout)
    return figures
