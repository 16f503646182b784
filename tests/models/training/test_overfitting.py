"""Every recipe learns a tiny data set by heart, from the files as their owners publish them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.datasets import catalogue
from models.datasets.samples import Dataset
from models.deephar.spnet_config import SPNetConfig
from models.training.optimizers import optimizer_of
from models.training.recipe import Phase, Recipe
from models.training.recipes import RECIPES
from tests.models.datasets import made_h36m, made_mpii, made_ntu, made_penn
from tests.models.training.tiny_recipes import tiny

Folders = Mapping[str, Path]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Folders:
    made = tmp_path_factory.mktemp("made")
    made_mpii.make(made / "mpii", train=2, val=1)
    made_h36m.make(made / "h36m", frames=1)
    made_penn.make(made / "penn", train=2, test=1, frames=20)
    made_ntu.make(made / "ntu", ids=made_ntu.IDS[:2], frames=20)
    return {name: made / name for name in ("mpii", "h36m", "penn", "ntu")}


def sources_of(recipe: Recipe, folders: Folders) -> dict[str, Dataset[Any]]:
    return {
        name: catalogue.open_split(name, folders[name], "train", **recipe.dataset_options.get(name, {}))
        for name in recipe.datasets
    }


def learned(recipe: Recipe, phase: Phase, network: nn.Module, sources: Mapping[str, Any], steps: int) -> float:
    """The share of the first loss that is left after so many steps on one batch."""
    recipe.begin(network, phase)
    recipe.prepare(network, phase)
    parameters = [parameter for parameter in network.parameters() if parameter.requires_grad]
    # The last rates of long trainings are too small to be seen in so few steps.
    rate = max(phase.learning_rate, 2e-4)
    optimizer = optimizer_of(replace(phase, learning_rate=rate), parameters)
    batch = next(recipe.batches(phase, sources, seed=1, epoch=0))
    losses = []
    for _ in range(steps):
        loss = recipe.loss(network, batch, phase)["total"]
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in parameters)  # DistributedDataParallel waits for them
        optimizer.step()
        losses.append(loss.item())
    return losses[-1] / losses[0]


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=() if name in ("mpii", "ntu") else pytest.mark.networks) for name in RECIPES],
)
def test_every_phase_of_a_recipe_learns(name: str, folders: Folders) -> None:
    torch.manual_seed(3)
    recipe = tiny(name)
    network, sources = recipe.build(), sources_of(recipe, folders)
    for phase in recipe.phases:
        steps = 40 if isinstance(recipe.config, SPNetConfig) else 12  # whose steps are cheaper
        left = learned(recipe, phase, network, sources, steps)
        assert left < (0.4 if phase.trains == "pose" else 0.6), f"{phase.name}: {left:.2f}"


@pytest.mark.long
@pytest.mark.parametrize("name", list(RECIPES))
def test_a_tiny_network_learns_everything_by_heart(name: str, folders: Folders) -> None:
    torch.manual_seed(3)
    recipe = tiny(name)
    network, sources = recipe.build(), sources_of(recipe, folders)
    for phase in recipe.phases:
        left = learned(recipe, phase, network, sources, steps=150)
        # The last phase begins with poses that are learned; their cross entropy has a lower bound above 0.
        assert left < (0.5 if phase.trains == "all" else 0.15), f"{phase.name}: {left:.2f}"


@pytest.mark.long
@pytest.mark.parametrize("name", list(RECIPES))
def test_the_whole_network_learns(name: str, folders: Folders) -> None:
    torch.manual_seed(3)
    recipe, small = RECIPES[name], tiny(name)
    augmented = {data: replace(chosen, scales=(1.0,)) for data, chosen in recipe.augmentations.items()}
    recipe = replace(recipe, phases=small.phases, clip_frames=small.clip_frames, augmentations=augmented)
    network, sources = recipe.build(), sources_of(recipe, folders)
    for phase in recipe.phases:
        left = learned(recipe, phase, network, sources, steps=8)
        assert left < 0.7, f"{phase.name}: {left:.2f}"
