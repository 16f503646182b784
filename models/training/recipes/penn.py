"""SPNet on Penn Action and MPII (TPAMI'20), as the original's script trains it.

The script alternates between a batch of pictures and one of clips; here both are one batch with one step, so the weight
of the actions also holds under RMSprop. It starts from a deeper pose network, here from the phase `pose`. Of 8 pictures
6 are of MPII and 2 of Penn Action, which the script has beside MPII alone.
"""

from __future__ import annotations

from models.deephar.spnet_config import SPNetConfig
from models.protocol.joints import PA16
from models.training.augmentation import TPAMI20
from models.training.recipe import Phase, Recipe, Share
from models.training.recipes.sizes import MPII_PEOPLE

POSES = (Share(dataset="mpii", count=24), Share(dataset="penn", count=8))
CLIPS = Share(dataset="penn", count=4, clips=True)
ACTION_WEIGHT = 0.01

RECIPE = Recipe(
    name="penn",
    config=SPNetConfig(16, 2, 15, pyramids=6, action_pyramids=(5, 6), action_features=160, replica=True),
    joints=PA16,
    clip_frames=8,
    phases=(
        Phase(
            name="pose",
            epochs=60,
            steps_per_epoch=MPII_PEOPLE // 24,
            trains="pose",
            optimizer="rmsprop",
            learning_rate=1e-3,
            batch=POSES,
        ),
        Phase(
            name="actions",
            epochs=2,
            steps_per_epoch=MPII_PEOPLE // 6,
            trains="actions",
            optimizer="rmsprop",
            learning_rate=1e-3,
            batch=(CLIPS,),
            action_weight=ACTION_WEIGHT,
        ),
        Phase(
            name="all",
            epochs=28,
            steps_per_epoch=MPII_PEOPLE // 6,
            trains="all",
            optimizer="rmsprop",
            learning_rate=1e-3,
            milestones=(14, 24),
            factor=0.1,
            batch=(*POSES, CLIPS),
            action_weight=ACTION_WEIGHT,
        ),
    ),
    augmentations=TPAMI20,
)
