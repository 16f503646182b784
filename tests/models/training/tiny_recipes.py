"""The recipes with networks and batches that learn in seconds."""

from __future__ import annotations

from dataclasses import replace

from models.deephar.merged import MergedConfig
from models.deephar.reception import ReceptionConfig
from models.deephar.spnet_config import SPNetConfig
from models.training.augmentation import Augmentation
from models.training.recipe import Recipe
from models.training.recipes import RECIPES

UNCHANGED = Augmentation(mirrors=(False,), powers=(1.0,))


def tiny(name: str) -> Recipe:
    """Pictures of 32 px without variations, one block or pyramid, clips of 4, and one sample of each share."""
    recipe = RECIPES[name]
    config = recipe.config
    if isinstance(config, SPNetConfig):
        config = replace(
            config, pyramids=1, action_pyramids=(1,), levels=2, growth=16, action_features=16, image_size=32
        )
    elif isinstance(config, MergedConfig):
        config = replace(config, pose=_small(config.pose), visual_features=32)
    else:
        config = _small(config)
    phases = []
    for phase in recipe.phases:
        pictures = [replace(share, count=1) for share in phase.batch if not share.clips]
        if pictures:
            pictures[0] = replace(pictures[0], count=4 - len(pictures) + 1)
        clips = [replace(share, count=2) for share in phase.batch if share.clips]
        phases.append(replace(phase, batch=(*pictures, *clips), epochs=1))
    return replace(
        recipe,
        config=config,
        clip_frames=min(4, recipe.clip_frames),
        phases=tuple(phases),
        augmentations=dict.fromkeys(recipe.augmentations, UNCHANGED),
    )


def _small(config: ReceptionConfig) -> ReceptionConfig:
    return replace(config, blocks=1, map_size=4, depths=4, kernel=3)
