"""SPNet on NTU RGB+D, Human3.6M, MPII and Penn Action (TPAMI'20), as the original's scripts train it.

The scripts alternate between a batch of pictures and one of clips; here both are one batch with one step. They start
from a pose network of 8 pyramids, here from the phase `pose`. The last phase mixes poses in the sizes that the script
still names: 4 of Human3.6M, 3 of MPII and 1 of NTU in 8.
"""

from __future__ import annotations

from models.deephar.spnet_config import SPNetConfig
from models.protocol.joints import PA17
from models.training.augmentation import TPAMI20
from models.training.recipe import Phase, Recipe, Share
from models.training.recipes.sizes import MPII_PEOPLE, NTU_SEQUENCES

CLIPS = Share(dataset="ntu", count=4, clips=True)
ACTION_WEIGHT = 0.1
MOMENTUM = 0.9

RECIPE = Recipe(
    name="ntu",
    config=SPNetConfig(17, 3, 60, pyramids=2, action_pyramids=(1, 2), action_features=192),
    joints=PA17,
    clip_frames=8,
    phases=(
        Phase(
            name="pose",
            epochs=60,
            steps_per_epoch=MPII_PEOPLE // 14,
            trains="pose",
            optimizer="rmsprop",
            learning_rate=1e-3,
            batch=(
                Share(dataset="mpii", count=14),
                Share(dataset="h36m", count=14, optional=True),
                Share(dataset="penn", count=2, optional=True),
                Share(dataset="ntu", count=2),
            ),
        ),
        Phase(
            name="actions",
            epochs=50,
            steps_per_epoch=NTU_SEQUENCES // 4,
            trains="actions",
            optimizer="sgd",
            momentum=MOMENTUM,
            learning_rate=1e-2,
            batch=(CLIPS,),
            action_weight=ACTION_WEIGHT,
        ),
        Phase(
            name="all",
            epochs=40,
            steps_per_epoch=NTU_SEQUENCES // 4,
            trains="all",
            optimizer="sgd",
            momentum=MOMENTUM,
            learning_rate=1e-3,
            milestones=(9, 21),
            factor=0.1,
            batch=(
                Share(dataset="mpii", count=12),
                Share(dataset="h36m", count=16, optional=True),
                Share(dataset="ntu", count=4),
                CLIPS,
            ),
            action_weight=ACTION_WEIGHT,
        ),
    ),
    augmentations=TPAMI20,
    dataset_options={"ntu": {"every": 2}},
)
