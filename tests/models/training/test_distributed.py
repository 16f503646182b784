"""Several processes train together, started by torchrun, on the CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import torch

from models.training import checkpoint, log
from tests.models.training.tiny import PHASES, tiny, train

ROOT = Path(__file__).resolve().parents[3]


def torchrun(out: Path, *phases: str, processes: int = 2) -> None:
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes),
        "-m", "tests.models.training.ddp", str(out), *phases,
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_two_processes_have_the_same_network_which_is_that_of_one_with_the_whole_batch(tmp_path: Path) -> None:
    """In the phase `actions`, whose batch normalisation is fixed: on a CPU it is that of each process alone."""
    torchrun(tmp_path / "two", "actions")
    first, second = (torch.load(tmp_path / "two" / f"{rank}.pt", weights_only=True) for rank in range(2))
    alone = train(tmp_path / "one", tiny(PHASES[1:2])).state_dict()
    kept = checkpoint.read(tmp_path / "two" / checkpoint.LAST)
    for name, values in first.items():
        assert torch.equal(values, second[name]), name
        assert torch.equal(values, kept["network"][name]), name
        assert torch.allclose(values, alone[name], rtol=1e-5, atol=1e-7), name
    ours, theirs = log.lines_of(tmp_path / "two"), log.lines_of(tmp_path / "one")
    assert [line["total"] for line in ours] == [line["total"] for line in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert abs(mine["losses"]["actions"] - other["losses"]["actions"]) < 1e-4
