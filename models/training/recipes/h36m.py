"""Volumetric ReceptionNet on Human3.6M and MPII, half of each (CVPR'18, section 5.3).

The paper lowers the rate when the validation stands still; the epochs and milestones here are those of MPII.
"""

from __future__ import annotations

from models.deephar.reception import ReceptionConfig
from models.protocol.joints import PA17
from models.training.augmentation import CVPR18
from models.training.recipe import Phase, Recipe, Share
from models.training.recipes.sizes import MPII_PEOPLE

RECIPE = Recipe(
    name="h36m",
    config=ReceptionConfig(joints=17, dims=3),
    joints=PA17,
    phases=(
        Phase(
            name="pose",
            epochs=120,
            steps_per_epoch=MPII_PEOPLE // 12,
            trains="pose",
            optimizer="rmsprop",
            learning_rate=1e-3,
            milestones=(80, 100),
            factor=0.2,
            pose_loss="cvpr_elasticnet",
            batch=(Share(dataset="h36m", count=12), Share(dataset="mpii", count=12, optional=True)),
        ),
    ),
    augmentations=CVPR18,
)
