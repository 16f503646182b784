"""The batches of an epoch, read and cropped in processes of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from models.datasets.problem import DataProblem
from models.datasets.samples import Clip, Person
from models.protocol.clips import random_clip
from models.training import examples
from models.training.augmentation import Variation
from models.training.examples import Example
from models.training.mixing import Slot, check_division, present_shares, step_of
from models.training.recipe import Batch, Phase, Recipe, RecipeProblem, Share, Sources
from models.training.stopping import outlast_signals


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

    def __getitem__(self, step: int) -> Batch | DataProblem:
        """A problem is returned, not raised: PyTorch would make a stack trace of its text."""
        sizes = {name: len(source) for name, source in self.sources.items()}
        part = step_of(self.shares, sizes, self.stream, self.first + step).part_of(self.rank, self.world)
        try:
            pictures = [self._picture(slot) for slot in part.pictures]
            clips = [self._clip(slot) for slot in part.clips]
        except DataProblem as problem:
            return problem
        joints, side = len(self.recipe.joints), self.recipe.image_size
        return Batch(
            _stacked([example.pictures[0] for example in pictures], 3, side, side),
            _stacked([example.poses[0] for example in pictures], joints, self.recipe.dims),
            _stacked([example.visibility[0] for example in pictures], joints),
            _stacked([example.pictures for example, _ in clips], self.recipe.clip_frames, 3, side, side),
            torch.tensor([action for _, action in clips], dtype=torch.long),
        )

    def _picture(self, slot: Slot) -> Example:
        sample, variation, random = self._drawn(slot)
        wanted = (self.recipe.joints, self.recipe.dims, variation, self.recipe.image_size)
        if isinstance(sample, Person):
            return examples.of_person(sample, *wanted)
        return examples.of_clip(sample, [int(random.integers(sample.frames))], *wanted)

    def _clip(self, slot: Slot) -> tuple[Example, int]:
        """A clip and its action."""
        sample, variation, random = self._drawn(slot)
        assert isinstance(sample, Clip)
        frames = random_clip(sample.frames, self.recipe.clip_frames, variation.subsampling, random)
        wanted = (self.recipe.joints, self.recipe.dims, variation, self.recipe.image_size)
        return examples.of_clip(sample, frames, *wanted), sample.action

    def _drawn(self, slot: Slot) -> tuple[Person | Clip, Variation, np.random.Generator]:
        """The sample of a place of the batch, its variation, and what draws the rest."""
        random = slot.generator()
        variation = self.recipe.augmentations[slot.share.dataset].draw(random)
        return self.sources[slot.share.dataset][slot.index], variation, random


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
    check_division(phase, shares, world)
    stream = (seed, recipe.phases.index(phase))
    steps = Steps(recipe, shares, sources, stream, epoch * phase.steps_per_epoch, rank, world)
    loader = DataLoader(
        steps,
        batch_size=None,
        sampler=range(start, phase.steps_per_epoch),
        num_workers=workers,
        pin_memory=pin_memory,
        worker_init_fn=outlast_signals,
        generator=torch.Generator(),  # its own: the training's random numbers must not depend on the workers
        prefetch_factor=2 if workers else None,
    )
    return _checked(loader)


def _checked(loader: DataLoader[Any]) -> Iterator[Batch]:
    for batch in loader:
        if isinstance(batch, DataProblem):
            raise batch
        yield batch


def _stacked(arrays: list[NDArray[np.float32]], *shape: int) -> torch.Tensor:
    """All arrays as one, also where there are none of this shape."""
    return torch.from_numpy(np.stack(arrays)) if arrays else torch.empty(0, *shape)
