"""The action network of deephar's CVPR'18 paper: pose-based and appearance-based recognition, aggregated.

The pose network takes each frame. Two small networks take the clip, one its poses and one the visual features at its
joints; their last maps are weighted and added.

`MergedFrame` is what one frame needs, `MergedClip` the rest; together they compute the same numbers as the whole
network, `MergedActionNet`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.deephar.action_features import at_joints, pack, unpack
from models.deephar.layers import Conv, SeparableConv, global_max_min, max_min_pool, max_pool, upsample
from models.deephar.reception import WIDTH, ConvBn, PoseMaps, ReceptionConfig, ReceptionNet

BLOCKS = 4  # of each action network


@dataclass(frozen=True)
class PoseStem:
    """Widths of the first layers of the pose's action network; `v1` and `v2` of the original."""

    tall: int  # 3 x 1: through time, for each joint
    square: int  # 3 x 3
    wide: int  # 3 x 5: through neighbouring joints
    narrow: int  # 1 x 1 before the second branch of the second layer
    out: int  # of each branch of the second layer


V1 = PoseStem(8, 16, 24, 32, 56)
V2 = PoseStem(12, 24, 36, 64, 112)


@dataclass(frozen=True)
class MergedConfig:
    """Size of the network."""

    pose: ReceptionConfig
    actions: int
    pose_stem: PoseStem
    visual_features: int = 256

    @property
    def sharpness(self) -> float:
        """The visibility that weights the poses is the sigmoid of the evidence times this."""
        return 2.0 if self.pose.dims == 3 else 4.0


class ActionBlock(nn.Module):
    """Features (B, C, T / 2, K / 2) to maps of actions (B, A, T / 4, K / 4) and the next block's features."""

    def __init__(self, width: int, actions: int, last: bool) -> None:
        super().__init__()
        self.reduce = ConvBn(width, width // 2, relu="before")
        self.expand = ConvBn(width // 2, width, (3, 3), relu="before")
        self.conv = ConvBn(width, width, (3, 3), relu="before")
        self.maps = Conv(width, actions, (3, 3))
        self.reinject = None if last else ConvBn(actions, width, (3, 3), relu="before")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = x + self.expand(self.reduce(x))
        inner = self.conv(x)
        maps = self.maps(max_min_pool(inner).relu())
        return maps, x + inner + self.reinject(upsample(maps)) if self.reinject else x


def _blocks(width: int, actions: int) -> nn.ModuleList:
    return nn.ModuleList(ActionBlock(width, actions, last=number == BLOCKS) for number in range(1, BLOCKS + 1))


def _maps_of(blocks: nn.ModuleList, x: Tensor) -> list[Tensor]:
    found = []
    for block in blocks:
        maps, x = block(x)
        found.append(maps)
    return found


class PoseActions(nn.Module):
    """Actions from poses (B, D, T, K): the clip as a picture of time by joints (pose-based recognition)."""

    def __init__(self, config: MergedConfig) -> None:
        super().__init__()
        stem, dims = config.pose_stem, config.pose.dims
        first = stem.tall + stem.square + stem.wide
        self.tall = ConvBn(dims, stem.tall, (3, 1), relu="after")
        self.square = ConvBn(dims, stem.square, (3, 3), relu="after")
        self.wide = ConvBn(dims, stem.wide, (3, 5), relu="after")
        self.direct = ConvBn(first, stem.out, (3, 3))
        self.narrow = ConvBn(first, stem.narrow)
        self.through = ConvBn(stem.narrow, stem.out, (3, 3))
        self.blocks = _blocks(2 * stem.out, config.actions)

    def forward(self, poses: Tensor) -> list[Tensor]:
        x = torch.cat([self.tall(poses), self.square(poses), self.wide(poses)], dim=1)
        x = torch.cat([self.direct(x), self.through(self.narrow(x))], dim=1)
        return _maps_of(self.blocks, max_min_pool(x))


class VisualActions(nn.Module):
    """Actions from visual features (B, C, T, K) at the joints (appearance-based recognition)."""

    def __init__(self, config: MergedConfig) -> None:
        super().__init__()
        self.blocks = _blocks(config.visual_features, config.actions)

    def forward(self, features: Tensor) -> list[Tensor]:
        return _maps_of(self.blocks, max_pool(features))


class FrameOutput(NamedTuple):
    """What the frame's part computes."""

    pose: Tensor  # (B, K, D)
    visibility: Tensor  # (B, K, 1), of the pose network
    weight: Tensor  # (B, K, 1), the sharper visibility by which the poses are weighted for actions
    features: Tensor  # (B, F), action features


class MergedFrame(nn.Module):
    """One frame's pose and action features."""

    def __init__(self, config: MergedConfig) -> None:
        super().__init__()
        self.config = config
        self.pose = ReceptionNet(config.pose)
        self.visual = ConvBn(WIDTH, config.visual_features)

    def forward(self, image: Tensor) -> FrameOutput:
        """Crops (B, 3, 256, 256) in -1..1. The pose is that of the last block."""
        first, *others = self.pose.blocks
        low = first.reception(self.pose.stem(image))  # the visual features are those of the first block
        maps, x = first.after_reception(low)
        for block in others:
            maps, x = block(x)
        seen: PoseMaps = self.pose.head(maps)
        weight = (self.config.sharpness * seen.evidence).sigmoid()
        visual = self.visual(at_joints(seen.probabilities, low))  # (B, V, K, 1)
        return FrameOutput(seen.pose, seen.evidence.sigmoid(), weight, pack(seen.pose * weight, visual))


class MergedScores(NamedTuple):
    """Scores of A actions."""

    pose: list[Tensor]  # (B, A) of each block
    visual: list[Tensor]
    merged: Tensor  # (B, A), the network's result


class MergedClip(nn.Module):
    """Actions from action features (B, T, F)."""

    def __init__(self, config: MergedConfig) -> None:
        super().__init__()
        self.config = config
        self.pose = PoseActions(config)
        self.visual = VisualActions(config)
        # A factor for each action's map, then a mixture of them.
        self.pose_weights = SeparableConv(config.actions, config.actions, 1)
        self.visual_weights = SeparableConv(config.actions, config.actions, 1)

    def all_scores(self, features: Tensor) -> MergedScores:
        poses, visual = unpack(features, self.config.pose.joints, self.config.pose.dims)
        by_pose, by_visual = self.pose(poses), self.visual(visual)
        merged = self.pose_weights(by_pose[-1]) + self.visual_weights(by_visual[-1])
        return MergedScores([_scores(m) for m in by_pose], [_scores(m) for m in by_visual], _scores(merged))

    def forward(self, features: Tensor) -> Tensor:
        return self.all_scores(features).merged


def _scores(maps: Tensor) -> Tensor:
    return global_max_min(maps).softmax(dim=-1)


class MergedActionNet(nn.Module):
    """The whole network, on clips (B, T, 3, 256, 256) in -1..1."""

    def __init__(self, config: MergedConfig) -> None:
        super().__init__()
        self.frame, self.clip = MergedFrame(config), MergedClip(config)

    def forward(self, clip: Tensor) -> tuple[FrameOutput, MergedScores]:
        found = self.frame(clip.flatten(0, 1))
        return found, self.clip.all_scores(found.features.unflatten(0, clip.shape[:2]))
