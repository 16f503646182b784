"""Which layers a phase trains, and which it leaves exactly as they are."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from models.deephar.spnet import SPNet
from models.deephar.spnet_frame import Heatmaps
from models.training.recipe import Recipe
from models.training.recipes import RECIPES
from tests.models.training.made_samples import InMemory
from tests.models.training.tiny_recipes import tiny

SOURCES = {name: InMemory(name, 2) for name in ("mpii", "h36m", "penn", "ntu")}


def changed_by(recipe: Recipe, phase_name: str, network: nn.Module) -> set[str]:
    """The names in the state that one step of a phase changes."""
    (phase,) = (phase for phase in recipe.phases if phase.name == phase_name)
    recipe.begin(network, phase)
    recipe.prepare(network, phase)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    optimizer = torch.optim.SGD(learning, lr=1.0)
    recipe.loss(network, next(recipe.batches(phase, SOURCES, 1, 0)), phase)["total"].backward()
    optimizer.step()
    return {name for name, value in network.state_dict().items() if not torch.equal(value, before[name])}


def is_of_actions(name: str) -> bool:
    return name.startswith(("clip.", "frame.act", "frame.visual."))


@pytest.mark.parametrize("name", ["penn", "ntu-cvpr18"])
def test_a_phase_changes_its_own_part_and_nothing_else(name: str) -> None:
    torch.manual_seed(2)
    recipe = tiny(name)
    network = recipe.build()
    by_poses = changed_by(recipe, "pose", network)
    assert by_poses
    assert not [name for name in by_poses if is_of_actions(name) or "replica" in name]
    by_actions = changed_by(recipe, "actions", network)
    assert by_actions
    assert not [name for name in by_actions if not is_of_actions(name)]  # also no average of a fixed normalisation
    by_all = changed_by(recipe, "all", network)
    assert by_poses | by_actions <= by_all
    assert any("replica" in name for name in by_all) == (name == "penn")


def test_layers_without_a_scale_never_get_one() -> None:
    recipe = tiny("mpii")
    network = recipe.build()
    recipe.prepare(network, recipe.phases[0])
    weights = [module.weight for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    assert weights
    assert not any(weight.requires_grad for weight in weights)


def test_replicas_start_as_copies_of_the_pose_layers() -> None:
    recipe = tiny("penn")
    network = recipe.build()
    assert isinstance(network, SPNet)
    pairs = [
        (module.conv1.weight, module.conv1_replica.weight)
        for module in network.modules()
        if isinstance(module, Heatmaps) and module.conv1_replica is not None
    ]
    assert pairs
    assert not any(torch.equal(own, replica) for own, replica in pairs)
    for phase in recipe.phases[:1]:
        recipe.begin(network, phase)
        assert not any(torch.equal(own, replica) for own, replica in pairs)
    recipe.begin(network, recipe.phases[1])
    assert all(torch.equal(own, replica) for own, replica in pairs)


def test_the_two_parts_of_a_merged_network_count_alike_at_the_start() -> None:
    clip = tiny("ntu-cvpr18").build().get_submodule("clip")
    maps = torch.randn(1, 60, 3, 4)
    for weights in (clip.pose_weights, clip.visual_weights):
        assert torch.equal(weights(maps), maps)


def test_a_recipe_is_told_from_a_changed_one() -> None:
    recipe = RECIPES["penn"]
    slower = replace(recipe, phases=(replace(recipe.phases[0], learning_rate=1e-4), *recipe.phases[1:]))
    assert recipe.fingerprint() == replace(recipe).fingerprint() != slower.fingerprint()


def test_every_recipe_trains_the_network_that_is_served() -> None:
    from models.deephar.networks import NETWORKS

    assert set(RECIPES) == set(NETWORKS)
    for name, recipe in RECIPES.items():
        assert recipe.config == NETWORKS[name].config
        clip = NETWORKS[name].clip
        assert recipe.clip_frames == (clip.frames if clip else 1)
