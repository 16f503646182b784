"""The merged network on Penn Action: poses of MPII (75 %) and Penn Action (25 %), clips of 16 (CVPR'18, 5.4)."""

from __future__ import annotations

from models.deephar.merged import V1, MergedConfig
from models.deephar.reception import ReceptionConfig
from models.protocol.joints import PA16
from models.training.augmentation import CVPR18
from models.training.recipe import Recipe, Share
from models.training.recipes.merged import phases
from models.training.recipes.sizes import PENN_SEQUENCES

RECIPE = Recipe(
    name="penn-cvpr18",
    config=MergedConfig(ReceptionConfig(joints=16, blocks=4), 15, V1),
    joints=PA16,
    clip_frames=16,
    phases=phases(
        "penn",
        poses=(Share(dataset="mpii", count=18), Share(dataset="penn", count=6)),
        beside_clips=(Share(dataset="mpii", count=24), Share(dataset="penn", count=8)),
        epoch=PENN_SEQUENCES // 2,
    ),
    augmentations=CVPR18,
)
