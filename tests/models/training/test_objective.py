"""What a training step minimises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from models.training.recipe import SINGLE_PICTURES
from tests.models.training.made_samples import InMemory
from tests.models.training.tiny_recipes import tiny

SOURCES = {name: InMemory(name, 2) for name in ("mpii", "h36m", "penn", "ntu")}


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16])
def test_mixed_precision_gives_about_the_same_losses_in_full_precision(kind: torch.dtype) -> None:
    torch.manual_seed(1)
    recipe = tiny("ntu")
    network, phase = recipe.build(), recipe.phases[-1]
    batch = next(recipe.batches(phase, SOURCES, 1, 0))
    full = recipe.loss(network, batch, phase)
    with torch.autocast("cpu", kind):
        mixed = recipe.loss(network, batch, phase)
    for name, value in full.items():
        assert mixed[name].dtype == torch.float32
        if name != "top1":
            torch.testing.assert_close(mixed[name], value, rtol=0.03, atol=0)


def test_pictures_teach_poses_and_clips_teach_actions() -> None:
    torch.manual_seed(1)
    recipe = tiny("ntu")
    phase = recipe.phases[-1]
    network = recipe.build().eval()  # so that rows do not meet in the batch normalisation
    batch = next(recipe.batches(phase, SOURCES, 1, 0))
    single = batch.actions == SINGLE_PICTURES
    whole = recipe.loss(network, batch, phase)

    def only(rows: torch.Tensor) -> dict[str, torch.Tensor]:
        parts = (batch.pictures, batch.poses, batch.visibility, batch.actions)
        return recipe.loss(network, type(batch)(*(part[rows] for part in parts)), phase)

    torch.testing.assert_close(only(single)["total"], whole["pose"])
    torch.testing.assert_close(only(~single)["total"], whole["actions"])
    torch.testing.assert_close(whole["total"].detach(), whole["pose"] + whole["actions"])


def test_the_weight_of_the_actions_is_the_phases() -> None:
    torch.manual_seed(1)
    recipe = tiny("penn")
    network, phase = recipe.build().eval(), recipe.phases[1]
    batch = next(recipe.batches(phase, SOURCES, 1, 0))
    plain = recipe.loss(network, batch, replace(phase, action_weight=1.0))["actions"]
    torch.testing.assert_close(recipe.loss(network, batch, phase)["actions"], 0.01 * plain)
