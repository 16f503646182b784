"""A training in seconds: a network of two parts with batch normalisation and dropout, and two phases.

`python -m tests.models.training.made_training OUT` trains it as `deephar-models train` trains the real ones.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from models.deephar.reception import ReceptionConfig
from models.protocol.joints import PA16
from models.training import checkpoint
from models.training.distributed import Process, joined
from models.training.loop import Run, Settings
from models.training.problem import CannotTrain, Stopped
from models.training.recipe import Batch, Phase, Recipe, Share, Sources
from models.training.stopping import outlast_signals, stop_asked

ROWS = 4  # of a batch of all processes


class TinyNetwork(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.pose = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout(0.3))
        self.place = nn.Conv2d(4, 2, 1)
        self.actions = nn.Conv2d(4, 3, 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        features = self.pose(pictures)
        return self.place(features).mean((2, 3)), self.actions(features).amax((2, 3))


@dataclass(frozen=True)
class MadeBatches(TorchDataset[Any]):
    """Batches that follow from seed, epoch and step."""

    seed: int
    epoch: int
    rank: int
    world: int
    pause_s: float
    spoilt: tuple[int, int] | None  # epoch and step whose truth is not a number

    def __getitem__(self, step: int) -> Batch:
        time.sleep(self.pause_s)
        random = torch.Generator().manual_seed(hash((self.seed, self.epoch, step)))
        pictures, poses = torch.rand(ROWS, 3, 8, 8, generator=random), torch.rand(ROWS, 1, 2, generator=random)
        if (self.epoch, step) == self.spoilt:
            poses[0] = torch.nan
        mine = slice(self.rank, None, self.world)
        clips, actions = pictures[:, None], torch.arange(ROWS) % 3
        return Batch(pictures[mine], poses[mine], torch.ones(ROWS, 1)[mine], clips[mine], actions[mine])


@dataclass(frozen=True, kw_only=True)
class TinyRecipe(Recipe):
    """The engine's view of a recipe."""

    # Not part of the fingerprint:
    pause_s: float = field(default=0.0, repr=False)
    spoilt: tuple[int, int] | None = field(default=None, repr=False)
    stop_before: tuple[str, int, int] | None = field(default=None, repr=False)  # phase, epoch, step
    network: Callable[[], nn.Module] = field(default=TinyNetwork, repr=False)

    def build(self) -> nn.Module:
        return self.network()

    def batches(
        self, phase: Phase, sources: Sources, seed: int, epoch: int, rank: int = 0, world: int = 1,
        *, start: int = 0, workers: int = 0, pin_memory: bool = False,
    ) -> Iterator[Batch]:  # fmt: skip
        made = MadeBatches(seed, epoch + 10 * self.phases.index(phase), rank, world, self.pause_s, self.spoilt)
        steps = range(start, phase.steps_per_epoch)
        loader = DataLoader(made, batch_size=None, sampler=steps, num_workers=workers, worker_init_fn=outlast_signals)
        for step, batch in enumerate(loader, start):
            if (phase.name, epoch, step) == self.stop_before:
                os.kill(os.getpid(), signal.SIGTERM)
            yield batch

    def loss(self, network: nn.Module, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        poses, scores = network(batch.pictures)
        losses = {}
        if phase.trains != "actions":
            losses["pose"] = (poses.float() - batch.poses.flatten(0, 1)).abs().mean()
        if phase.trains != "pose":
            losses["actions"] = nn.functional.cross_entropy(scores.float(), batch.actions)
        return {"total": torch.stack(list(losses.values())).sum(), **losses}

    def begin(self, network: nn.Module, phase: Phase) -> None:
        if phase.trains == "actions":
            with torch.no_grad():
                cast(TinyNetwork, network).actions.weight.zero_()

    def prepare(self, network: nn.Module, phase: Phase) -> None:
        network.train()
        for name, part in network.named_children():
            learns = phase.trains == "all" or (name == "actions") == (phase.trains == "actions")
            part.train(learns)
            part.requires_grad_(learns)


class NoData:
    """A data set with nothing but a fingerprint."""

    def __init__(self, fingerprint: str = "made") -> None:
        self._fingerprint = fingerprint

    def fingerprint(self) -> str:
        return self._fingerprint


def phase(name: str, **changes: Any) -> Phase:
    usual: dict[str, Any] = {
        "epochs": 3, "steps_per_epoch": 5, "trains": "pose", "optimizer": "rmsprop", "learning_rate": 1e-3,
        "milestones": (1, 2), "factor": 0.5, "batch": (Share(dataset="mpii", count=ROWS),),
    }  # fmt: skip
    return Phase(name=name, **usual | changes)


PHASES = (
    phase("pose"),
    phase("actions", trains="actions", optimizer="sgd", momentum=0.9, learning_rate=1e-2, epochs=2),
    phase("all", trains="all", epochs=2),
)


def tiny(phases: tuple[Phase, ...] = PHASES, **changes: Any) -> TinyRecipe:
    return TinyRecipe(name="mpii", config=ReceptionConfig(16), joints=PA16, phases=phases, augmentations={}, **changes)


def train(
    out: Path,
    recipe: Recipe,
    settings: Settings | None = None,
    sources: Any = None,
    process: Process | None = None,
    **options: Any,
) -> nn.Module:
    """Trains as the command does, on the CPU. Returns the network."""
    settings, process = settings or Settings(log_steps=2), process or Process(torch.device("cpu"))
    out.mkdir(parents=True, exist_ok=True)
    with stop_asked() as stop:
        torch.manual_seed(settings.seed)
        network = recipe.build()
        run = Run(recipe, sources or {"mpii": NoData()}, network, out, settings, process, stop, **options)
        run.to_the_end()
    return network


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--pause", type=float, default=0.0)
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--steps", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    settings = Settings(log_steps=2, workers=arguments.workers, checkpoint_steps=arguments.steps)
    print(f"process {os.getpid()}", flush=True)
    with joined("cpu") as process, checkpoint.only_one(arguments.out) if process.first else nullcontext():
        try:
            train(arguments.out, tiny(pause_s=arguments.pause), settings, process=process, say=print)
        except Stopped as stopped:
            return 128 + stopped.signal
        except CannotTrain as problem:
            print(problem, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
