"""`torchrun --nproc-per-node N -m models.training RECIPE ...`: what `deephar-models train` does, in N processes."""

from __future__ import annotations

import sys

from models.cli import run
from models.training.command import command

if __name__ == "__main__":
    sys.exit(run(command, "models.training"))
