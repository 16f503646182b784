"""ReceptionNet on MPII: as the original's script; the paper lowers the rate when the validation stands still."""

from __future__ import annotations

from models.deephar.reception import ReceptionConfig
from models.protocol.joints import PA16
from models.training.augmentation import CVPR18
from models.training.recipe import Phase, Recipe, Share
from models.training.recipes.sizes import MPII_PEOPLE

RECIPE = Recipe(
    name="mpii",
    config=ReceptionConfig(joints=16),
    joints=PA16,
    phases=(
        Phase(
            name="pose",
            epochs=120,
            steps_per_epoch=MPII_PEOPLE // 24,
            trains="pose",
            optimizer="rmsprop",
            learning_rate=1e-3,
            milestones=(80, 100),
            factor=0.2,
            batch=(Share(dataset="mpii", count=24),),
        ),
    ),
    augmentations=CVPR18,
)
