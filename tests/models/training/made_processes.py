"""A process of torchrun that trains the tiny recipe on the CPU, three times.

OUT/actions: the phase whose batch normalisation is fixed. OUT/whole: all phases. OUT/parts: all phases, stopped by a
signal to the second process alone and then resumed. Each folder gets the network of each process as <rank>.pt.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from models.training.problem import Stopped
from tests.models.training.made_training import PHASES, tiny, train


def main(out: Path) -> None:
    torch.set_num_threads(1)
    rank = int(os.environ["RANK"])
    keep(train(out / "actions", tiny(PHASES[1:2])), out / "actions", rank)
    keep(train(out / "whole", tiny()), out / "whole", rank)
    try:
        train(out / "parts", tiny(stop_before=("all", 0, 2) if rank == 1 else None))
    except Stopped as stopped:
        print(f"process {rank}: {stopped}", flush=True)
    keep(train(out / "parts", tiny()), out / "parts", rank)


def keep(network: torch.nn.Module, folder: Path, rank: int) -> None:
    torch.save(network.state_dict(), folder / f"{rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
