"""`deephar-models train mpii` with a network of one block, two steps and a tiny MPII: seconds instead of days."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.deephar.networks import NETWORKS
from models.deephar.reception import ReceptionConfig
from models.training.recipe import Phase, Share
from models.training.recipes import RECIPES
from tests.models.datasets import made_mpii

ONE_BLOCK = ReceptionConfig(joints=16, blocks=1)


def make_small(folder: Path, patch: pytest.MonkeyPatch) -> Path:
    """Makes the recipe `mpii` and its network small, and a tiny MPII. Returns its folder."""
    phase = Phase(
        name="pose", epochs=1, steps_per_epoch=2, trains="pose", optimizer="rmsprop", learning_rate=1e-4,
        batch=(Share(dataset="mpii", count=2),),
    )  # fmt: skip
    patch.setitem(RECIPES, "mpii", replace(RECIPES["mpii"], config=ONE_BLOCK, phases=(phase,)))
    patch.setitem(NETWORKS, "mpii", replace(NETWORKS["mpii"], config=ONE_BLOCK, all_blocks=1))
    patch.setenv("DEEPHAR_CACHE", str(folder / "cache"))
    made_mpii.make(folder / "mpii", train=2, val=2)
    return folder / "mpii"
