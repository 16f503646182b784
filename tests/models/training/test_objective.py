"""What a training step minimises."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

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
    network = recipe.build()  # in training: pictures and clips do not meet in the batch normalisation either
    batch = next(recipe.batches(phase, SOURCES, 1, 0))
    whole = recipe.loss(network, batch, phase)
    torch.testing.assert_close(whole["total"].detach(), whole["pose"] + whole["actions"])
    poses = recipe.loss(network, replace(batch, clips=torch.randn_like(batch.clips)), phase)
    actions = recipe.loss(network, replace(batch, pictures=torch.randn_like(batch.pictures)), phase)
    assert torch.equal(poses["pose"], whole["pose"])
    assert not torch.equal(poses["actions"], whole["actions"])
    assert torch.equal(actions["actions"], whole["actions"])
    assert not torch.equal(actions["pose"], whole["pose"])


@pytest.mark.parametrize("name", ["penn", "ntu-cvpr18"])
def test_the_action_part_is_normalised_by_clips_only(name: str) -> None:
    torch.manual_seed(1)
    recipe = tiny(name)
    phase = recipe.phases[-1]
    batch = next(recipe.batches(phase, SOURCES, 1, 0))
    other = replace(batch, pictures=torch.randn_like(batch.pictures))
    start, averages = recipe.build().state_dict(), []
    for one in (batch, other):
        network = recipe.build()
        network.load_state_dict(start)
        recipe.prepare(network, phase)
        recipe.loss(network, one, phase)
        averages.append({key: value for key, value in network.state_dict().items() if key.endswith("running_mean")})
    mine, theirs = averages
    moved = {key for key, value in mine.items() if not torch.equal(value, start[key])}
    by_pictures = {key for key, value in mine.items() if not torch.equal(value, theirs[key])}
    assert moved == set(mine)
    assert by_pictures == {key for key in mine if not key.startswith(("clip.", "frame.visual."))}


def test_the_weight_of_the_actions_is_the_phases() -> None:
    torch.manual_seed(1)
    recipe = tiny("penn")
    network, phase = recipe.build().eval(), recipe.phases[1]
    batch = next(recipe.batches(phase, SOURCES, 1, 0))
    plain = recipe.loss(network, batch, replace(phase, action_weight=1.0))["actions"]
    torch.testing.assert_close(recipe.loss(network, batch, phase)["actions"], 0.01 * plain)
