"""A process of torchrun that trains the tiny recipe on the CPU, three times.

OUT/actions: the phase whose batch normalisation is fixed. OUT/whole: all phases. OUT/parts: all phases, stopped by a
signal to the second process alone and then resumed. Each folder gets the network of each process as <rank>.pt.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from models.training.distributed import Process, joined
from models.training.problem import Stopped
from tests.models.training.made_training import PHASES, tiny, train


def main(out: Path) -> None:
    torch.set_num_threads(1)
    with joined("cpu") as process:
        keep(train(out / "actions", tiny(PHASES[1:2]), process=process), out / "actions", process)
        keep(train(out / "whole", tiny(), process=process), out / "whole", process)
        try:
            train(out / "parts", tiny(stop_before=("all", 0, 2) if process.rank == 1 else None), process=process)
        except Stopped as stopped:
            print(f"process {process.rank}: {stopped}", flush=True)
        torch.distributed.barrier()  # elsewhere torchrun's end waits until the checkpoint is written
        keep(train(out / "parts", tiny(), process=process), out / "parts", process)


def keep(network: torch.nn.Module, folder: Path, process: Process) -> None:
    torch.save(network.state_dict(), folder / f"{process.rank}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
