"""deephar's six released networks: their configurations, and what their cards say."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import nn

from models.deephar.merged import V1, V2, MergedActionNet, MergedConfig
from models.deephar.reception import ReceptionConfig, ReceptionNet
from models.deephar.spnet import SPNet
from models.deephar.spnet_config import SPNetConfig
from models.protocol.labels import NTU_ACTIONS, PENN_ACTIONS

IMAGE_SIZE = 256


@dataclass(frozen=True)
class ClipSettings:
    """The clip of the original's evaluation; the data sets have about 30 frames a second."""

    frames: int
    interval_s: float
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    """One released network."""

    model: str
    description: str
    layout: str
    dims: int
    margin: float  # side of the crop over the longer side of the person's box
    all_blocks: int  # prediction blocks
    config: ReceptionConfig | MergedConfig | SPNetConfig
    clip: ClipSettings | None = None
    # Whether the released file may have separate maps for the action part, as the original's name of it suggests.
    may_have_replica: bool = False

    def build(self, blocks: int | None = None, replica: bool = False) -> nn.Module:
        """The network with random weights.

        Args:
            blocks: Prediction blocks that are kept; all of them where it is absent.
            replica: With separate maps for the action part, for a file that has them.
        """
        config = self.config
        if isinstance(config, SPNetConfig):
            return build(replace(config, blocks=blocks, replica=config.replica or replica))
        if isinstance(config, MergedConfig):
            return build(replace(config, pose=replace(config.pose, blocks=blocks or self.all_blocks)))
        return build(replace(config, blocks=blocks or self.all_blocks))


def build(config: ReceptionConfig | MergedConfig | SPNetConfig) -> nn.Module:
    """The network of a configuration with random weights."""
    if isinstance(config, SPNetConfig):
        return SPNet(config)
    return MergedActionNet(config) if isinstance(config, MergedConfig) else ReceptionNet(config)


NETWORKS: dict[str, Network] = {
    network.model: network
    for network in (
        Network(
            model="mpii",
            description="2D poses: ReceptionNet, 8 blocks; weights for MPII (deephar, CVPR'18)",
            layout="pa16",
            dims=2,
            margin=1.25,
            all_blocks=8,
            config=ReceptionConfig(joints=16),
        ),
        Network(
            model="h36m",
            description="3D poses: volumetric ReceptionNet, 8 blocks; weights for Human3.6M (deephar, CVPR'18)",
            layout="pa17",
            dims=3,
            margin=1.3,
            all_blocks=8,
            config=ReceptionConfig(joints=17, dims=3),
        ),
        Network(
            model="penn",
            description="2D poses and actions: SPNet, 6 pyramids; weights for Penn Action (deephar, TPAMI'20)",
            layout="pa16",
            dims=2,
            margin=1.5,
            all_blocks=18,
            config=SPNetConfig(16, 2, 15, pyramids=6, action_pyramids=(5, 6), action_features=160, replica=True),
            clip=ClipSettings(8, 0.2, PENN_ACTIONS),
        ),
        Network(
            model="ntu",
            description="3D poses and actions: SPNet, 2 pyramids; weights for NTU RGB+D (deephar, TPAMI'20)",
            layout="pa17",
            dims=3,
            margin=1.5,
            all_blocks=6,
            config=SPNetConfig(17, 3, 60, pyramids=2, action_pyramids=(1, 2), action_features=192),
            clip=ClipSettings(8, 8 / 30, NTU_ACTIONS),
            may_have_replica=True,
        ),
        Network(
            model="penn-cvpr18",
            description="2D poses and actions: merged networks; weights for Penn Action (deephar, CVPR'18)",
            layout="pa16",
            dims=2,
            margin=1.5,
            all_blocks=4,
            config=MergedConfig(ReceptionConfig(joints=16, blocks=4), 15, V1),
            clip=ClipSettings(16, 2 / 30, PENN_ACTIONS),
        ),
        Network(
            model="ntu-cvpr18",
            description="3D poses and actions: merged networks; weights for NTU RGB+D (deephar, CVPR'18)",
            layout="pa20",
            dims=3,
            margin=1.5,
            all_blocks=4,
            config=MergedConfig(ReceptionConfig(joints=20, dims=3, blocks=4, depths=8), 60, V2),
            clip=ClipSettings(20, 2 / 30, NTU_ACTIONS),
        ),
    )
}
