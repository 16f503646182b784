"""The frame's part of SPNet: entry flow, pyramids, a pose of each prediction block, features for the clip's part."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.deephar.action_features import at_joints, pack
from models.deephar.layers import BatchNorm, Conv, SeparableConv, SoftArgmax, max_pool, spatial_softmax, upsample
from models.deephar.spnet_config import Place, SPNetConfig
from models.deephar.spnet_layers import Bottleneck, Residual


class Heatmaps(nn.Module):
    """Heat maps of the joints, and their re-injection into the features."""

    def __init__(self, config: SPNetConfig, width: int, replica: bool, last: bool) -> None:
        super().__init__()
        self.conv1 = Conv(width, config.joints)
        self.conv1_replica: nn.Module | None = Conv(width, config.joints) if replica else None
        if not last:
            self.fw_maps = Conv(width, config.joints)  # free maps beside those of the joints
            self.conv2 = Conv(2 * config.joints, width)

    def reinjection(self, active: Tensor, maps: Tensor) -> Tensor:
        return self.conv2(torch.cat([self.fw_maps(active), maps], dim=1).relu())


class Depthmaps(nn.Module):
    """Depth maps of the joints, and their re-injection into the features."""

    def __init__(self, config: SPNetConfig, width: int, last: bool) -> None:
        super().__init__()
        self.conv1 = Conv(width, config.joints)
        if not last:
            self.conv2 = Conv(config.joints, width)


class BlockMaps(NamedTuple):
    """The maps of a prediction block."""

    own: Tensor  # (B, K, H, W) probabilities
    for_action: Tensor  # those of the replica where there is one
    depth: Tensor | None  # (B, K, H, W) in 0..1


class PredictionBlock(nn.Module):
    """Features to maps and the next block's features; the last block leaves the features as they are."""

    def __init__(self, config: SPNetConfig, place: Place) -> None:
        super().__init__()
        width, last = config.width(place.level), place == config.places[-1]
        self.r1 = Residual(width, width, config.kernel)
        self.bn1 = BatchNorm(width)
        self.conv1 = SeparableConv(width, width, config.kernel)
        self.bn2 = BatchNorm(width)
        replica = config.replica and place in config.action_places
        self.heatmaps = Heatmaps(config, width, replica, last)
        self.depthmaps = Depthmaps(config, width, last) if config.dims == 3 else None
        self.xy = SoftArgmax(config.map_size(place.level), config.map_size(place.level))
        self.last = last

    def forward(self, x: Tensor) -> tuple[BlockMaps, Tensor]:
        x = self.r1(x)
        inner = self.conv1(self.bn1(x).relu())
        active = self.bn2(inner).relu()
        heat = self.heatmaps.conv1(active)
        replica = self.heatmaps.conv1_replica
        deep = self.depthmaps.conv1(active) if self.depthmaps else None
        if not self.last:
            x = x + inner + self.heatmaps.reinjection(active, heat)
            x = x + self.depthmaps.conv2(deep) if self.depthmaps else x
        own = spatial_softmax(heat)
        for_action = spatial_softmax(replica(active)) if replica else own
        return BlockMaps(own, for_action, deep.sigmoid() if deep is not None else None), x


def read_pose(place: SoftArgmax, probabilities: Tensor, depth: Tensor | None) -> tuple[Tensor, Tensor]:
    """The pose (B, K, D) and its confidence (B, K, 1), the largest mass of a 2 x 2 window of each map."""
    pose = place(probabilities)
    if depth is not None:
        pose = torch.cat([pose, (probabilities * depth).sum((2, 3))[..., None]], dim=-1)
    confidence = 4 * F.avg_pool2d(probabilities, 2, stride=1).amax((2, 3))
    return pose, confidence[..., None]


class FrameAction(nn.Module):
    """The frame's part of an action block: the weighted pose and the visual features at the joints."""

    def __init__(self, config: SPNetConfig, place: Place) -> None:
        super().__init__()
        size = config.map_size(place.level)
        self.xy2 = SoftArgmax(size, size)
        self.action_v_conv0 = Conv(config.width(place.level), config.action_features)

    def forward(self, maps: BlockMaps, features: Tensor) -> Tensor:
        """The block's maps and the first pyramid's features (B, C, H, W) of this scale to action features (B, F)."""
        pose, confidence = read_pose(self.xy2, maps.for_action, maps.depth)
        visual = self.action_v_conv0(at_joints(maps.for_action, features))  # (B, V, K, 1)
        return pack(pose * confidence, visual)


class FrameOutput(NamedTuple):
    """What the frame's part computes."""

    poses: list[Tensor]  # (B, K, D) of each block, in 0..1
    confidences: list[Tensor]  # (B, K, 1) of each block
    features: Tensor | None  # (B, F), action features, where an action block is left


class SPNetFrame(nn.Module):
    """Entry flow and pyramids."""

    def __init__(self, config: SPNetConfig) -> None:
        super().__init__()
        self.config = config
        growth = config.growth
        self.conv1 = Conv(3, 64, (7, 7), stride=2)
        self.res0 = Bottleneck(64, growth // 2, growth)
        self.res1 = Bottleneck(growth, growth, 2 * growth)
        self.res2 = Bottleneck(2 * growth, growth, 2 * growth)
        self.res3 = Bottleneck(2 * growth, 3 * growth // 2, 3 * growth)
        self.res4 = Bottleneck(3 * growth, 3 * growth // 2, 3 * growth)
        for place in config.places:
            above = config.width(place.level - 1 if place.down else place.level + 1)
            unit = nn.ModuleDict({"r0": Residual(above, config.width(place.level), config.kernel)})
            if place.pyramid_name not in self._modules:
                self.add_module(place.pyramid_name, nn.ModuleDict())
            pyramid = self.get_submodule(place.pyramid_name)
            pyramid[place.unit_name] = unit
            pyramid[place.block_name] = PredictionBlock(config, place)
        for number, place in enumerate(config.action_places, 1):
            self.add_module(f"act{number}", FrameAction(config, place))

    def entry(self, image: Tensor) -> Tensor:
        """(B, 3, 256, 256) -> (B, 288, 32, 32)."""
        x = max_pool(self.res0(self.conv1(image)), 3)
        x = max_pool(self.res2(self.res1(x)))
        return self.res4(self.res3(x))

    def forward(self, image: Tensor) -> FrameOutput:
        """Crops (B, 3, 256, 256) in -1..1."""
        x = self.entry(image)
        lateral = {0: x}  # the newest features of each level
        visual = {0: x}  # the first ones of each level
        poses: list[Tensor] = []
        confidences: list[Tensor] = []
        features: list[Tensor] = []
        for place in self.config.places:
            pyramid = self.get_submodule(place.pyramid_name)
            x = lateral[place.level - 1 if place.down else place.level + 1]
            x = pyramid[place.unit_name]["r0"](max_pool(x) if place.down else upsample(x))
            visual.setdefault(place.level, x)
            x = x + lateral[place.level] if place.level in lateral else x
            block = pyramid[place.block_name]
            maps, lateral[place.level] = block(x)
            pose, confidence = read_pose(block.xy, maps.own, maps.depth)
            poses.append(pose)
            confidences.append(confidence)
            if place in self.config.action_places:
                action = self.get_submodule(f"act{len(features) + 1}")
                features.append(action(maps, visual[place.level]))
        return FrameOutput(poses, confidences, torch.cat(features, dim=1) if features else None)
