"""An evaluation that is killed goes on: a process of its own, ended by SIGKILL."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.models.datasets import made_mpii
from tests.models.evaluation import made_models

PATIENCE_S = 120


def evaluation(data: Path, out: Path, cache: Path) -> subprocess.Popen[bytes]:
    command = ["evaluate", "mpii", "--model", "mpii@1", "--data", str(data), "--out", str(out), "--batch", "4"]
    surroundings = {**os.environ, "DEEPHAR_CACHE": str(cache), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen([sys.executable, "-m", "models.cli", *command], env=surroundings)


def lines(out: Path) -> int:
    journal = out / "journal.jsonl"
    return journal.read_bytes().count(b"\n") if journal.exists() else 0


def lasting(out: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((out / "record.json").read_text())
    document.pop("seconds")
    return document


@pytest.mark.long
def test_a_killed_evaluation_goes_on_with_equal_results(tmp_path: Path) -> None:
    data, cache = tmp_path / "mpii", tmp_path / "cache"
    made_mpii.make(data, val=100)
    made_models.make(cache, "mpii@1")
    assert evaluation(data, tmp_path / "whole", cache).wait(PATIENCE_S) == 0
    out = tmp_path / "killed"
    for wanted in (10, 70, 90):
        process = evaluation(data, out, cache)
        until = time.monotonic() + PATIENCE_S
        while lines(out) < wanted and process.poll() is None and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
        assert not (out / "record.json").exists()
    assert evaluation(data, out, cache).wait(PATIENCE_S) == 0
    assert lasting(out) == lasting(tmp_path / "whole")
