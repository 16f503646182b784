"""The batches of an epoch, read and cropped in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from models.datasets.problem import DataProblem
from models.datasets.samples import Clip, Person
from models.protocol.clips import random_clip
from models.training import examples
from models.training.examples import Example
from models.training.mixing import Slot, check_division, present_shares, step_of
from models.training.recipe import SINGLE_PICTURES, Batch, Phase, Recipe, RecipeProblem, Share, Sources


@dataclass(frozen=True, eq=False)
class Steps(TorchDataset[Any]):
    """One process' batches by the number of their step in the epoch."""

    recipe: Recipe
    shares: tuple[Share, ...]
    sources: Sources
    stream: tuple[int, int]  # the seed and the number of the phase
    first: int  # the number of the epoch's first step in the phase
    rank: int
    world: int
    row: int

    def __getitem__(self, step: int) -> Batch | DataProblem:
        """A problem is returned, not raised: PyTorch would make a stack trace of its text."""
        sizes = {name: len(source) for name, source in self.sources.items()}
        whole = step_of(self.shares, sizes, self.row, self.stream, self.first + step)
        part = whole.part_of(self.rank, self.world)
        try:
            rows = [[self._example(slot)[0] for slot in row] for row in part.pictures]
            clips = [self._example(slot) for slot in part.clips]
        except DataProblem as problem:
            return problem
        actions = [SINGLE_PICTURES] * len(rows) + [action for _, action in clips]
        return _batch([*rows, *([example] for example, _ in clips)], actions)

    def _example(self, slot: Slot) -> tuple[Example, int]:
        """What is learned in a place of the batch, and its action."""
        random, recipe, name = slot.generator(), self.recipe, slot.share.dataset
        sample = self.sources[name][slot.index]
        variation = recipe.augmentations[name].draw(random)
        wanted = (recipe.joints, recipe.dims, variation, recipe.image_size)
        if isinstance(sample, Person):
            return examples.of_person(sample, *wanted), SINGLE_PICTURES
        assert isinstance(sample, Clip)
        if not slot.share.clips:
            frame = int(random.integers(sample.frames))
            return examples.of_clip(sample, [frame], *wanted), SINGLE_PICTURES
        frames = random_clip(sample.frames, recipe.clip_frames, variation.subsampling, random)
        return examples.of_clip(sample, frames, *wanted), sample.action


def epoch_batches(
    recipe: Recipe,
    phase: Phase,
    sources: Sources,
    seed: int,
    epoch: int,
    rank: int,
    world: int,
    *,
    start: int,
    workers: int,
    pin_memory: bool,
) -> Iterator[Batch]:
    """See `Recipe.batches`."""
    shares = present_shares(phase, sources)
    for share in shares:
        if not len(sources[share.dataset]):
            raise RecipeProblem(f"the training split of {share.dataset} is empty: check its folder")
    row = recipe.row_of(phase)
    check_division(phase, shares, row, world)
    stream = (seed, recipe.phases.index(phase))
    steps = Steps(recipe, shares, sources, stream, epoch * phase.steps_per_epoch, rank, world, row)
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(start, phase.steps_per_epoch),
        num_workers=workers,
        pin_memory=pin_memory,
        generator=torch.Generator(),  # its own: the training's random numbers must not depend on the workers
        prefetch_factor=2 if workers else None,
    )
    return _checked(loader)


def _checked(loader: DataLoader[Any]) -> Iterator[Batch]:
    for batch in loader:
        if isinstance(batch, DataProblem):
            raise batch
        yield batch


def _batch(rows: list[list[Example]], actions: list[int]) -> Batch:
    def stacked(part: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([np.concatenate([getattr(example, part) for example in row]) for row in rows]))

    return Batch(stacked("pictures"), stacked("poses"), stacked("visibility"), torch.tensor(actions))
