"""A process of torchrun: trains the tiny recipe, or a part of it, and writes what it has to OUT/<rank>.pt."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch

from tests.models.training.tiny import PHASES, tiny, train


def main(out: Path, *phases: str) -> None:
    torch.set_num_threads(1)
    network = train(out, tiny(tuple(phase for phase in PHASES if phase.name in phases)))
    torch.save(network.state_dict(), out / f"{os.environ['RANK']}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
