"""deephar's six released networks: how each is built, and what a service must know to run it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from torch import nn

from models.labels import NTU_ACTIONS, PENN_ACTIONS
from models.merged import V1, V2, MergedActionNet, MergedConfig
from models.reception import ReceptionConfig, ReceptionNet
from models.spnet import SPNet, SPNetConfig

IMAGE_SIZE = 256
DEPTH_SCALE_MM = 2000.0  # of z = 0..1; 0.5 is the root's plane


@dataclass(frozen=True)
class ClipSettings:
    """The clip of the original's evaluation, in media time (the data sets have about 30 frames a second)."""

    frames: int
    interval_s: float
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Network:
    model: str
    description: str
    layout: str
    dims: int
    margin: float  # side of the crop over the longer side of the person's box
    all_blocks: int  # prediction blocks
    build: Callable[[int], nn.Module]  # with so many blocks
    clip: ClipSettings | None = None


def _spnet(config: SPNetConfig) -> Callable[[int], SPNet]:
    return lambda blocks: SPNet(replace(config, blocks=blocks))


def _merged(config: MergedConfig) -> Callable[[int], MergedActionNet]:
    return lambda blocks: MergedActionNet(replace(config, pose=replace(config.pose, blocks=blocks)))


def _reception(config: ReceptionConfig) -> Callable[[int], ReceptionNet]:
    return lambda blocks: ReceptionNet(replace(config, blocks=blocks))


NETWORKS: dict[str, Network] = {
    network.model: network
    for network in (
        Network(
            model="mpii",
            description="2D poses: ReceptionNet, 8 blocks, trained on MPII (deephar, CVPR'18)",
            layout="pa16",
            dims=2,
            margin=1.25,
            all_blocks=8,
            build=_reception(ReceptionConfig(joints=16)),
        ),
        Network(
            model="h36m",
            description="3D poses: volumetric ReceptionNet, 8 blocks, trained on Human3.6M (deephar, CVPR'18)",
            layout="pa17",
            dims=3,
            margin=1.3,
            all_blocks=8,
            build=_reception(ReceptionConfig(joints=17, dims=3)),
        ),
        Network(
            model="penn",
            description="2D poses and actions: SPNet, 6 pyramids, trained on MPII and Penn Action (deephar, TPAMI'20)",
            layout="pa16",
            dims=2,
            margin=1.5,
            all_blocks=18,
            build=_spnet(SPNetConfig(16, 2, 15, pyramids=6, action_pyramids=(5, 6), action_features=160, replica=True)),
            clip=ClipSettings(8, 0.2, PENN_ACTIONS),
        ),
        Network(
            model="ntu",
            description="3D poses and actions: SPNet, 2 pyramids, trained on Human3.6M and NTU (deephar, TPAMI'20)",
            layout="pa17",
            dims=3,
            margin=1.5,
            all_blocks=6,
            build=_spnet(SPNetConfig(17, 3, 60, pyramids=2, action_pyramids=(1, 2), action_features=192)),
            clip=ClipSettings(8, 8 / 30, NTU_ACTIONS),
        ),
        Network(
            model="penn-cvpr18",
            description="2D poses and actions: merged networks, trained on MPII and Penn Action (deephar, CVPR'18)",
            layout="pa16",
            dims=2,
            margin=1.5,
            all_blocks=4,
            build=_merged(MergedConfig(ReceptionConfig(joints=16, blocks=4), 15, V1)),
            clip=ClipSettings(16, 2 / 30, PENN_ACTIONS),
        ),
        Network(
            model="ntu-cvpr18",
            description="3D poses and actions: merged networks, trained on Human3.6M and NTU (deephar, CVPR'18)",
            layout="pa20",
            dims=3,
            margin=1.5,
            all_blocks=4,
            build=_merged(MergedConfig(ReceptionConfig(joints=20, dims=3, blocks=4, depths=8), 60, V2)),
            clip=ClipSettings(20, 2 / 30, NTU_ACTIONS),
        ),
    )
}


def network_named(model: str) -> Network:
    try:
        return NETWORKS[model]
    except KeyError:
        raise ValueError(f"there is no network {model!r}; choose one of {', '.join(NETWORKS)}") from None
