"""Imported weights of networks that are cut after their first blocks: random, small and quick."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import torch

from models.deephar.networks import NETWORKS
from models.weights.released import imported_file
from models.weights.store import Imported


def make(cache: Path, cut: str) -> str:
    """Puts the weights of a cut network such as `mpii@1` into the cache. Returns its name."""
    model, _, blocks = cut.partition("@")
    torch.manual_seed(1)
    network = NETWORKS[model].build(int(blocks))
    about = Imported(model, "made.h5", f"{len(cut):064x}", "no", False)
    file = imported_file(model, cache)
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save({"about": asdict(about), "state": network.state_dict()}, file)
    return cut
