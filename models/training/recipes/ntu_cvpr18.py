"""The merged network on NTU RGB+D: poses of MPII (45 %), Human3.6M (45 %) and NTU (10 %), clips of 20.

CVPR'18, section 5.4: NTU's skeletons are noisy, so few of its pictures teach poses.
"""

from __future__ import annotations

from models.deephar.merged import V2, MergedConfig
from models.deephar.reception import ReceptionConfig
from models.protocol.joints import PA20
from models.training.augmentation import CVPR18
from models.training.recipe import Recipe, Share
from models.training.recipes.merged import phases
from models.training.recipes.sizes import NTU_SEQUENCES

RECIPE = Recipe(
    name="ntu-cvpr18",
    config=MergedConfig(ReceptionConfig(joints=20, dims=3, blocks=4, depths=8), 60, V2),
    joints=PA20,
    clip_frames=20,
    phases=phases(
        "ntu",
        poses=(
            Share(dataset="mpii", count=11),
            Share(dataset="h36m", count=11, optional=True),
            Share(dataset="ntu", count=2),
        ),
        beside_clips=(
            Share(dataset="mpii", count=18),
            Share(dataset="h36m", count=18, optional=True),
            Share(dataset="ntu", count=4),
        ),
        epoch=NTU_SEQUENCES // 2,
    ),
    augmentations=CVPR18,
)
