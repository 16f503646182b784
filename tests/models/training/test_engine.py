"""The engine of training on a tiny recipe: what learns, with which optimizer, and what a training leaves."""

from __future__ import annotations

import copy
import itertools
import json
import math
import os
import signal
from pathlib import Path
from typing import Any, cast

import cv2
import pytest
import torch
from torch import Tensor, nn

from models.training import checkpoint, log
from models.training.distributed import Process
from models.training.loop import Settings
from models.training.optimizers import optimizer_of, rate_of
from models.training.problem import CannotTrain, Stopped
from models.training.recipe import Phase
from models.training.step import PhaseSteps
from tests.models.training.made_training import PHASES, TinyRecipe, phase, tiny, train

CPU = Process(torch.device("cpu"))


def after_phases(count: int, folder: Path) -> dict[str, Tensor]:
    """The state of the network after the first phases."""
    return copy.deepcopy(train(folder, tiny(PHASES[:count])).state_dict())


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name.partition(".")[0] for name in before if not torch.equal(before[name], after[name])}


def test_a_phase_changes_its_part_and_leaves_the_other_with_its_batch_normalisation(tmp_path: Path) -> None:
    torch.manual_seed(0)
    states = [tiny().build().state_dict(), *(after_phases(count, tmp_path / str(count)) for count in (1, 2, 3))]
    assert [changed(*pair) for pair in itertools.pairwise(states)] == [
        {"pose", "place"},
        {"actions"},
        {"pose", "place", "actions"},
    ]
    assert (states[1]["pose.1.num_batches_tracked"], states[3]["pose.1.num_batches_tracked"]) == (15, 25)


def keras_rmsprop(weight: Tensor, gradients: list[Tensor], rates: list[float]) -> Tensor:
    """As Keras 2.1.4 computes it: rho 0.9, epsilon 1e-7 beside the root."""
    mean = torch.zeros_like(weight)
    for gradient, rate in zip(gradients, rates, strict=True):
        mean = 0.9 * mean + 0.1 * gradient**2
        weight = weight - rate * gradient / (mean.sqrt() + 1e-7)
    return weight


def keras_nesterov(weight: Tensor, gradients: list[Tensor], rates: list[float]) -> Tensor:
    velocity = torch.zeros_like(weight)
    for gradient, rate in zip(gradients, rates, strict=True):
        velocity = 0.9 * velocity - rate * gradient
        weight = weight + 0.9 * velocity - rate * gradient
    return weight


@pytest.mark.parametrize(
    ("of", "keras", "milestones"),
    [
        (phase("a", milestones=(2,), factor=0.1), keras_rmsprop, 2),
        (phase("a", optimizer="sgd", momentum=0.9, milestones=()), keras_nesterov, 9),
    ],
)
def test_optimizers_make_the_steps_of_keras(of: Phase, keras: Any, milestones: int) -> None:
    gradients = [1e-6 * torch.randn(5, dtype=torch.float64) for _ in range(4)]
    weight = nn.Parameter(torch.zeros(5, dtype=torch.float64))
    optimizer = optimizer_of(of, [weight])
    rates = [rate_of(of, epoch) for epoch in range(4)]
    for gradient, rate in zip(gradients, rates, strict=True):  # a step is an epoch here
        optimizer.param_groups[0]["lr"] = rate
        weight.grad = gradient.clone()
        optimizer.step()
    assert rates == pytest.approx([1e-3 * (of.factor if epoch >= milestones else 1) for epoch in range(4)])
    wanted = keras(torch.zeros(5, dtype=torch.float64), gradients, rates)
    assert torch.allclose(weight.detach(), wanted, rtol=1e-9, atol=0)


def test_the_log_has_means_and_rates_and_the_curves_are_drawn(tmp_path: Path) -> None:
    train(tmp_path, tiny())
    lines = log.lines_of(tmp_path)
    epochs = [line for line in lines if line["kind"] == "epoch"]
    assert [line["total"] for line in epochs] == [5, 10, 15, 20, 25, 30, 35]
    rates = [1e-3, 5e-4, 2.5e-4, 1e-2, 5e-3, 1e-3, 5e-4]
    assert [line["learning_rate"] for line in epochs] == pytest.approx(rates)
    assert [set(line["losses"]) for line in epochs[2:6:3]] == [
        {"total", "pose", "gradient"},
        {"total", "pose", "actions", "gradient"},
    ]
    steps = [line for line in lines if line["kind"] == "steps"]
    assert [line["step"] for line in steps] == [2, 4] * 7
    assert epochs[-1]["losses"]["total"] < epochs[-2]["losses"]["total"] < 2
    curves = cv2.imread(str(tmp_path / "curves.png"))
    assert curves is not None
    assert curves.std() > 0


def test_an_epochs_mean_is_that_of_its_steps(tmp_path: Path) -> None:
    train(tmp_path, tiny((phase("pose", epochs=1),)), Settings(log_steps=1))
    *steps, epoch = log.lines_of(tmp_path)
    assert len(steps) == 5
    mean = sum(line["losses"]["pose"] for line in steps) / 5
    assert epoch["losses"]["pose"] == pytest.approx(mean, rel=1e-5)


def test_a_loss_that_is_not_finite_ends_the_training_and_keeps_the_checkpoint_before(tmp_path: Path) -> None:
    with pytest.raises(CannotTrain, match=r"the loss \(total, pose\) is not finite in phase pose, epoch 2, after 3 of"):
        train(tmp_path, tiny(spoilt=(1, 3)))
    found = checkpoint.read(tmp_path / checkpoint.LAST)
    assert (found["position"].epoch, found["position"].step) == (1, 0)
    assert all(values.isfinite().all() for values in found["network"].values())
    train(tmp_path, tiny())  # goes on where the data is mended
    assert checkpoint.read(tmp_path / checkpoint.LAST)["progress"] == "to the end"


def test_a_loss_that_is_not_finite_at_once_says_that_there_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CannotTrain, match="there is no checkpoint yet"):
        train(tmp_path, tiny(spoilt=(0, 0)))
    assert not (tmp_path / checkpoint.LAST).exists()


class InfiniteSlope(nn.Module):
    """A loss of 0 whose gradient is infinite."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(2))

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        return self.weight.sqrt().expand(len(pictures), 2), pictures


def test_a_gradient_that_is_not_finite_ends_the_training_too(tmp_path: Path) -> None:
    recipe = InfiniteRecipe(**(vars(tiny((phase("pose"),))) | {"network": InfiniteSlope}))
    with pytest.raises(CannotTrain, match="the gradient is not finite in phase pose, epoch 1, after 0 of its steps"):
        train(tmp_path, recipe)


class InfiniteRecipe(TinyRecipe):
    def prepare(self, network: nn.Module, phase: Phase) -> None:
        network.train()


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_mixed_precision_learns_and_resumes(precision: str, tmp_path: Path) -> None:
    settings = Settings(log_steps=2, precision=precision)
    whole = train(tmp_path / "whole", tiny(PHASES[:1]), settings).state_dict()
    with pytest.raises(Exception, match="stopped"):
        train(tmp_path / "parts", tiny(PHASES[:1], stop_before=("pose", 1, 3)), settings)
    scale = checkpoint.read(tmp_path / "parts" / checkpoint.LAST)["phase"]["scaler"]
    assert bool(scale) == (precision == "fp16")
    parts = train(tmp_path / "parts", tiny(PHASES[:1]), settings).state_dict()
    assert all(torch.equal(whole[name], parts[name]) for name in whole)
    in_full = train(tmp_path / "full", tiny(PHASES[:1])).state_dict()
    assert 0 < (whole["place.weight"] - in_full["place.weight"]).abs().max() < 5e-3
    assert whole["place.weight"].dtype == torch.float32


def test_an_overflow_in_fp16_leaves_the_step_out_and_halves_the_scale() -> None:
    recipe, network = tiny(), tiny().build()
    recipe.prepare(network, PHASES[0])
    steps = PhaseSteps(network, recipe, PHASES[0], CPU, "fp16")
    before, scale = copy.deepcopy(network.state_dict()), steps.state()["scaler"]["scale"]
    total = cast(nn.Conv2d, network.place).weight.sum() * 1e36
    assert math.isinf(steps.learn(total))
    assert torch.equal(network.state_dict()["place.weight"], before["place.weight"])
    assert steps.state()["scaler"]["scale"] == scale / 2


def test_a_phase_without_anything_to_learn_is_refused(tmp_path: Path) -> None:
    class Fixed(TinyRecipe):
        def prepare(self, network: nn.Module, phase: Phase) -> None:
            network.requires_grad_(False)

    with pytest.raises(CannotTrain, match="phase pose trains pose, of which mpii has nothing"):
        train(tmp_path, Fixed(**vars(tiny())))


class Falling:
    """A validation whose figure is best in the second epoch, and then never as good."""

    figure, larger_is_better = "error", False

    def __init__(self) -> None:
        self.figures = iter([3.0, 1.0, 2.0, 4.0, 5.0])

    def __call__(self, network: nn.Module, process: Process) -> dict[str, float]:
        assert not network.training
        return {"error": next(self.figures)}


def test_the_best_epoch_by_validation_is_kept_beside_the_last(tmp_path: Path) -> None:
    train(tmp_path / "two", tiny(PHASES[:2]), validation=Falling())  # of the phase `actions` there is none
    assert checkpoint.read(tmp_path / "two" / checkpoint.BEST)["position"].total == 10
    train(tmp_path / "three", tiny(), validation=Falling())
    # The newest phase's: the actions of the earlier one's are not trained.
    assert checkpoint.read(tmp_path / "three" / checkpoint.BEST)["position"].total == 30
    figures = [line["validation"] for line in log.lines_of(tmp_path / "three") if line["kind"] == "epoch"]
    assert figures == [{"error": 3.0}, {"error": 1.0}, {"error": 2.0}, {}, {}, {"error": 4.0}, {"error": 5.0}]


class Interrupted(Falling):
    """The first validation ends by what is given: an exception, or a signal that this process gets meanwhile."""

    def __init__(self, number: signal.Signals | None) -> None:
        super().__init__()
        self.number = number

    def __call__(self, network: nn.Module, process: Process) -> dict[str, float]:
        if self.number is None:
            raise KeyboardInterrupt
        os.kill(os.getpid(), self.number)
        return super().__call__(network, process)


@pytest.mark.parametrize(
    ("number", "ends", "at"), [(None, KeyboardInterrupt, (0, 5)), (signal.SIGTERM, Stopped, (1, 0))]
)
def test_a_validation_that_is_interrupted_costs_no_step(
    number: signal.Signals | None, ends: type[BaseException], at: tuple[int, int], tmp_path: Path
) -> None:
    recipe = tiny(PHASES[:1])
    with pytest.raises(ends):
        train(tmp_path, recipe, validation=Interrupted(number))
    position = checkpoint.read(tmp_path / checkpoint.LAST)["position"]
    assert (position.epoch, position.step) == at
    train(tmp_path, recipe, validation=Falling())
    epochs = [line for line in log.lines_of(tmp_path) if line["kind"] == "epoch"]
    assert [line["total"] for line in epochs] == [5, 10, 15]
    assert all(line["validation"] for line in epochs)


def test_every_line_of_the_log_is_json_by_itself(tmp_path: Path) -> None:
    train(tmp_path, tiny(PHASES[:1]))
    text = (tmp_path / log.LOG).read_text()
    assert all(json.loads(line)["phase"] == "pose" for line in text.splitlines())
