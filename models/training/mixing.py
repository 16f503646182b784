"""Which samples make a batch: several data sets with their shares, in an order that only the seed decides."""

from __future__ import annotations

import functools
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from models.training.recipe import Phase, RecipeProblem, Share


@dataclass(frozen=True)
class Slot:
    """One place of a batch."""

    share: Share
    index: int  # of the sample in its data set
    random: tuple[int, ...]  # seeds what else is drawn for it

    def generator(self) -> np.random.Generator:
        return np.random.default_rng(self.random)


@dataclass(frozen=True)
class Step:
    """What makes one batch."""

    pictures: tuple[Slot, ...]
    clips: tuple[Slot, ...]

    def part_of(self, rank: int, world: int) -> Step:
        """What one of several processes takes."""
        return Step(self.pictures[rank::world], self.clips[rank::world])


def present_shares(phase: Phase, present: Mapping[str, object]) -> tuple[Share, ...]:
    """The shares of the data sets that are there; what an optional one would give comes from the first of its kind.

    Raises:
        RecipeProblem: A data set that is needed is not there.
    """
    shares = [share for share in phase.batch if share.dataset in present]
    for absent in (share for share in phase.batch if share.dataset not in present):
        place = next((i for i, share in enumerate(shares) if share.clips == absent.clips), None)
        if not absent.optional or place is None:
            raise RecipeProblem(f"phase {phase.name} needs the data set {absent.dataset}: give its folder")
        shares[place] = replace(shares[place], count=shares[place].count + absent.count)
    return tuple(shares)


def check_division(phase: Phase, shares: Sequence[Share], world: int) -> None:
    """Every process must get as many pictures and as many clips.

    Raises:
        RecipeProblem: They cannot be divided so.
    """
    pictures = sum(share.count for share in shares if not share.clips)
    clips = sum(share.count for share in shares if share.clips)
    if pictures % world or clips % world:
        raise RecipeProblem(
            f"phase {phase.name} has {pictures} pictures and {clips} clips a batch, which {world} processes cannot "
            "share equally; choose another number of processes"
        )


def step_of(shares: Sequence[Share], sizes: Mapping[str, int], stream: tuple[int, int], number: int) -> Step:
    """The batch of a step of all processes together.

    Args:
        shares: Of the batch.
        sizes: Samples of each data set.
        stream: The seed and the number of the phase.
        number: Of the step in the phase, from 0, all epochs counted.
    """
    slots = []
    for place, share in enumerate(shares):
        for i in range(share.count):
            passed, position = divmod(number * share.count + i, sizes[share.dataset])
            order = _order(
                sizes[share.dataset], (*stream, zlib.crc32(share.dataset.encode()), int(share.clips), passed)
            )
            slots.append(Slot(share, int(order[position]), (*stream, number, place, i)))
    singles = [slot for slot in slots if not slot.share.clips]
    # Mixed, so that each process has something of every data set.
    mixed = tuple(singles[i] for i in np.random.default_rng((*stream, number)).permutation(len(singles)))
    return Step(mixed, tuple(slot for slot in slots if slot.share.clips))


@functools.lru_cache(maxsize=16)
def _order(size: int, seed: tuple[int, ...]) -> NDArray[np.intp]:
    """The order of one pass over a data set."""
    return np.random.default_rng(seed).permutation(size)
