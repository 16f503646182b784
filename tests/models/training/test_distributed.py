"""Several processes train together, started by torchrun, on the CPU."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from models.training import checkpoint, log
from models.training.recipe import Batch
from models.training.recipes import RECIPES
from tests.models.training import tiny_recipes
from tests.models.training.made_training import PHASES, tiny, train

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes of `tests.models.training.made_processes` have trained."""
    out = tmp_path_factory.mktemp("two")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
        "-m", "tests.models.training.made_processes", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    for rank in range(2):
        assert f"process {rank}: stopped" in done.stdout
    return out


def states(folder: Path) -> list[dict[str, Any]]:
    """Of each process, and of the checkpoint."""
    kept = checkpoint.read(folder / checkpoint.LAST)["network"]
    return [*(torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)), kept]


@pytest.mark.parametrize("name", RECIPES)
def test_every_parameter_that_learns_has_a_gradient_after_every_batch(name: str) -> None:
    """Else DistributedDataParallel would have to look for those that have none."""
    recipe = tiny_recipes.tiny(name)
    network, joints, side = recipe.build(), len(recipe.joints), recipe.image_size
    pictures, clips = torch.rand(2, 3, side, side), torch.rand(2, 4, 3, side, side)
    poses, visibility = torch.rand(2, joints, recipe.dims), torch.ones(2, joints)
    batch = Batch(pictures, poses, visibility, clips, torch.zeros(2, dtype=torch.long))
    for phase in recipe.phases:
        recipe.begin(network, phase)
        recipe.prepare(network, phase)
        network.zero_grad(set_to_none=True)
        recipe.loss(network, batch, phase)["total"].backward()
        without = [name for name, one in network.named_parameters() if one.requires_grad and one.grad is None]
        assert not without, phase.name


@pytest.mark.networks
@pytest.mark.parametrize("folder", ["actions", "whole", "parts"])
def test_all_processes_have_the_same_weights(folder: str, trained: Path) -> None:
    first, second, kept = states(trained / folder)
    averages = ("running_mean", "running_var")  # each process' own on a CPU; the first one's are kept
    for name, values in first.items():
        assert torch.equal(values, kept[name]), name
        assert name.endswith(averages) or torch.equal(values, second[name]), name


@pytest.mark.networks
def test_where_batch_normalisation_is_fixed_two_learn_what_one_learns_from_the_whole_batch(
    trained: Path, tmp_path: Path
) -> None:
    alone = train(tmp_path, tiny(PHASES[1:2])).state_dict()
    for name, values in states(trained / "actions")[0].items():
        assert torch.allclose(values, alone[name], rtol=1e-5, atol=1e-7), name
    ours, theirs = log.lines_of(trained / "actions"), log.lines_of(tmp_path)
    assert [line["total"] for line in ours] == [line["total"] for line in theirs]
    for mine, other in zip(ours, theirs, strict=True):
        assert mine["losses"]["actions"] == pytest.approx(other["losses"]["actions"], rel=1e-5)


@pytest.mark.networks
def test_a_signal_to_one_stops_all_and_they_resume_to_the_same_weights(trained: Path) -> None:
    (whole, _, _), (parts, _, _) = states(trained / "whole"), states(trained / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    assert [line["total"] for line in log.lines_of(trained / "parts")] == [
        line["total"] for line in log.lines_of(trained / "whole")
    ]
