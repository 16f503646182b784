"""Batches depend on the seed, the epoch and the step alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from models.datasets.problem import DataProblem
from models.training.recipe import Batch, Phase, Recipe, RecipeProblem, Share
from models.training.recipes import RECIPES
from tests.models.training.made_samples import InMemory

SOURCES = {name: InMemory(name, 5) for name in ("mpii", "h36m", "penn", "ntu")}
MIXED = Phase(
    name="all",
    epochs=2,
    steps_per_epoch=2,
    trains="all",
    optimizer="sgd",
    learning_rate=1e-3,
    batch=(
        Share(dataset="mpii", count=4),
        Share(dataset="h36m", count=4, optional=True),
        Share(dataset="ntu", count=2, clips=True),
    ),
)
SIDE = 64
SPNET: Any = RECIPES["ntu"].config
RECIPE = replace(RECIPES["ntu"], config=replace(SPNET, image_size=SIDE), phases=(MIXED,), clip_frames=4)


def epoch(
    number: int = 0, seed: int = 1, recipe: Recipe = RECIPE, rank: int = 0, world: int = 1, **options: int
) -> list[Batch]:
    start, workers = options.get("start", 0), options.get("workers", 0)
    phase = recipe.phases[0]
    return list(recipe.batches(phase, SOURCES, seed, number, rank, world, start=start, workers=workers))


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parts, other.parts, strict=True))


def test_a_batch_has_pictures_and_clips_of_several_data_sets() -> None:
    batches = epoch()
    assert len(batches) == 2
    for batch in batches:
        assert batch.pictures.shape == (8, 3, SIDE, SIDE)
        assert batch.poses.shape == (8, 17, 3)
        assert batch.clips.shape == (2, 4, 3, SIDE, SIDE)
        assert (batch.actions >= 0).all()
        assert max(batch.pictures.abs().max(), batch.clips.abs().max()) <= 1
        deep = (batch.poses[:, 0, 2] > 0).sum()  # Human3.6M's pictures: MPII has no depth
        assert deep == 4


def test_a_resumed_epoch_goes_on_with_the_same_batches_whatever_reads_them() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    whole, resumed = epoch(), epoch(start=1, workers=2)
    assert [same(a, b) for a, b in zip(whole[1:], resumed, strict=True)] == [True]
    assert torch.equal(torch.get_rng_state(), before)  # nothing of the training's own random numbers is used


def test_epochs_and_seeds_differ() -> None:
    one = epoch()
    assert not same(one[0], epoch(1)[0])
    assert not same(one[0], epoch(seed=2)[0])
    assert not same(one[0], one[1])


def test_processes_share_the_batch_of_a_single_one() -> None:
    whole = epoch()[0]
    halves = [epoch(rank=rank, world=2)[0] for rank in range(2)]
    for part, *own in zip(whole.parts, *(half.parts for half in halves), strict=True):
        assert torch.equal(torch.stack(own, dim=1).flatten(0, 1), part)  # by turns


def test_every_sample_comes_once_in_a_pass() -> None:
    clips = replace(MIXED, batch=(Share(dataset="ntu", count=1, clips=True),), steps_per_epoch=5)
    recipe = replace(RECIPE, phases=(clips,))
    for number in range(2):
        assert sorted(batch.actions.item() for batch in epoch(number, recipe=recipe)) == [0, 1, 2, 3, 4]


def test_an_optional_data_set_is_replaced_and_another_one_is_asked_for() -> None:
    few = {name: source for name, source in SOURCES.items() if name != "h36m"}
    (batch, *_) = RECIPE.batches(MIXED, few, 1, 0)
    assert batch.pictures.shape[0] == 8
    assert RECIPE.missing(few) == ()
    assert RECIPE.missing(["h36m"]) == ("mpii", "ntu")
    with pytest.raises(RecipeProblem, match="needs the data set ntu"):
        RECIPE.batches(MIXED, {"mpii": SOURCES["mpii"]}, 1, 0)


def test_what_cannot_be_divided_is_told() -> None:
    with pytest.raises(RecipeProblem, match="3 processes cannot share equally"):
        epoch(world=3)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_missing_picture_ends_the_training_with_its_own_words(workers: int) -> None:
    broken = InMemory("mpii", 3)
    broken.broken = DataProblem("images/7.jpg is missing")
    recipe = RECIPES["mpii"]
    with pytest.raises(DataProblem, match=r"^images/7.jpg is missing$"):
        next(recipe.batches(recipe.phases[0], {"mpii": broken}, 1, 0, workers=workers))


@pytest.mark.parametrize("name", list(RECIPES))
def test_every_phase_of_every_recipe_makes_a_batch(name: str) -> None:
    recipe = RECIPES[name]
    for phase in recipe.phases:
        small = replace(phase, batch=tuple(replace(share, count=1) for share in phase.batch), steps_per_epoch=1)
        (batch,) = replace(recipe, phases=(small,)).batches(small, SOURCES, 1, 0)
        clips = sum(share.clips for share in phase.batch)
        pictures = len(phase.batch) - clips
        assert batch.pictures.shape == (pictures, 3, recipe.image_size, recipe.image_size)
        assert batch.poses.shape == (pictures, len(recipe.joints), recipe.dims)
        assert batch.clips.shape[:2] == (clips, recipe.clip_frames)
        assert batch.actions.shape == (clips,)


@pytest.mark.parametrize("world", [1, 2])
@pytest.mark.parametrize("name", list(RECIPES))
def test_every_batch_can_be_divided_among_two(name: str, world: int) -> None:
    for phase in RECIPES[name].phases:
        RECIPES[name].batches(phase, SOURCES, 1, 0, rank=0, world=world)
