"""Fuzzing of what decodes, each in a process of its own: a crash of a native decoder fails the test too."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.fuzz.amount import SEED, TARGETS, inputs


@pytest.mark.parametrize("target", TARGETS)
def test_any_input_is_taken_or_refused(target: str) -> None:
    runs = inputs(target)
    print(f"{target}: {runs} inputs, seed {SEED}")
    command = [sys.executable, "-m", "tests.fuzz.targets", target, f"--runs={runs}", f"--seed={SEED}"]
    done = subprocess.run(command, cwd=ROOT, env=dict(os.environ), capture_output=True, text=True)
    assert done.returncode == 0, f"{target} with seed {SEED}:\n{done.stderr[-5000:]}"
    assert f" of {runs} inputs had an answer" in done.stdout
    print(done.stdout)
