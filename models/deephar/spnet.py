"""SPNet: the multi-task network of deephar's TPAMI'20 paper, 2D and 3D.

After an entry flow come pyramids that go down and up through scales by turns. At every scale a prediction block finds
the pose anew; in the action pyramids it also predicts the action from the poses and the looks of all frames so far.

It comes in two parts. `SPNetFrame` is all that one frame needs, `SPNetClip` the rest; one after the other they are the
whole network (`SPNet`), number by number. Modules are named so that their path is the layer's name in the released
files: `dp1.pb1.heatmaps.conv1` is `dp1_pb1_heatmaps_conv1`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.deephar.action_features import at_joints, pack, unpack
from models.deephar.layers import (
    BatchNorm,
    Conv,
    SeparableConv,
    SoftArgmax,
    global_max_min,
    max_min_pool,
    max_pool,
    spatial_softmax,
    upsample,
)


class Place(NamedTuple):
    """Where a prediction block stands. Pyramids count from 1: odd ones go down, even ones up."""

    pyramid: int
    level: int  # the scale: 0 is an eighth of the picture, each further one half of that

    @property
    def down(self) -> bool:
        return self.pyramid % 2 == 1

    @property
    def pyramid_name(self) -> str:
        return f"{'dp' if self.down else 'up'}{self.pyramid}"

    @property
    def unit_name(self) -> str:
        return f"{'du' if self.down else 'uu'}{self.level}"

    @property
    def block_name(self) -> str:
        return f"pb{self.level}"


@dataclass(frozen=True)
class SPNetConfig:
    joints: int
    dims: int
    actions: int
    pyramids: int
    action_pyramids: tuple[int, ...]
    action_features: int  # of the pose and of the looks, each
    levels: int = 4
    growth: int = 96
    kernel: int = 5
    replica: bool = False  # maps of their own for the action part (decoupled action poses)
    blocks: int | None = None  # prediction blocks that are kept; all when absent
    image_size: int = 256

    def __post_init__(self) -> None:
        first, count = self.action_pyramids[0], len(self.action_pyramids)
        if self.action_pyramids != tuple(range(first, first + count)):
            raise ValueError("action pyramids must follow each other without a gap")

    @property
    def places(self) -> tuple[Place, ...]:
        """The prediction blocks in the order in which they are computed."""
        down = range(1, self.levels)
        up = range(self.levels - 2, -1, -1)
        every = [Place(p, level) for p in range(1, self.pyramids + 1) for level in (down if p % 2 else up)]
        return tuple(every[: self.blocks])

    @property
    def action_places(self) -> tuple[Place, ...]:
        return tuple(place for place in self.places if place.pyramid in self.action_pyramids)

    def width(self, level: int) -> int:
        return (3 + level) * self.growth

    def map_size(self, level: int) -> int:
        return self.image_size // 8 >> level

    @property
    def features_per_block(self) -> int:
        return self.joints * (self.dims + self.action_features)


class Residual(nn.Module):
    """Batch norm, relu, convolution; the shortcut is the input, or a 1 x 1 of the same norm where the width changes."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.bn1 = BatchNorm(channels)
        self.conv1 = SeparableConv(channels, out, kernel)
        self.shortcut_conv = Conv(channels, out) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.bn1(x).relu()
        return (self.shortcut_conv(active) if self.shortcut_conv else x) + self.conv1(active)


class Bottleneck(nn.Module):
    """The same with a 1 x 1 convolution to `inner` channels before a 3 x 3."""

    def __init__(self, channels: int, inner: int, out: int) -> None:
        super().__init__()
        self.bn1 = BatchNorm(channels)
        self.conv1 = Conv(channels, inner)
        self.bn2 = BatchNorm(inner)
        self.conv2 = Conv(inner, out, (3, 3))
        self.shortcut_conv = Conv(channels, out) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        active = self.bn1(x).relu()
        inner = self.bn2(self.conv1(active)).relu()
        return (self.shortcut_conv(active) if self.shortcut_conv else x) + self.conv2(inner)


class Heatmaps(nn.Module):
    """A map of where each joint is, and what of it goes back into the features."""

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
    """A map of each joint's depth."""

    def __init__(self, config: SPNetConfig, width: int, last: bool) -> None:
        super().__init__()
        self.conv1 = Conv(width, config.joints)
        if not last:
            self.conv2 = Conv(config.joints, width)


class BlockMaps(NamedTuple):
    own: Tensor  # (B, K, H, W) probabilities
    for_action: Tensor  # those of the replica where there is one
    depth: Tensor | None  # (B, K, H, W) in 0..1


class PredictionBlock(nn.Module):
    """Features in, maps and features out. The last one of the network has none to give."""

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
    """The pose (B, K, D) and its confidence (B, K, 1): the largest sum of a 2 x 2 window of the map."""
    pose = place(probabilities)
    if depth is not None:
        pose = torch.cat([pose, (probabilities * depth).sum((2, 3))[..., None]], dim=-1)
    confidence = 4 * F.avg_pool2d(probabilities, 2, stride=1).amax((2, 3))
    return pose, confidence[..., None]


class FrameAction(nn.Module):
    """One frame's part of an action block: its weighted pose, and the looks at its joints."""

    def __init__(self, config: SPNetConfig, place: Place) -> None:
        super().__init__()
        size = config.map_size(place.level)
        self.xy2 = SoftArgmax(size, size)
        self.action_v_conv0 = Conv(config.width(place.level), config.action_features)

    def forward(self, maps: BlockMaps, looks: Tensor) -> Tensor:
        """(B, F) from the block's maps and the first pyramid's features of this scale (B, C, H, W)."""
        pose, confidence = read_pose(self.xy2, maps.for_action, maps.depth)
        visual = self.action_v_conv0(at_joints(maps.for_action, looks))  # (B, V, K, 1)
        return pack(pose * confidence, visual)


class FrameFindings(NamedTuple):
    poses: list[Tensor]  # of each block (B, K, D), in 0..1
    confidences: list[Tensor]  # (B, K, 1)
    features: Tensor | None  # (B, F), for the clip network


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
        """(B, 3, 256, 256) -> (B, 288, 32, 32)"""
        x = max_pool(self.res0(self.conv1(image)), 3)
        x = max_pool(self.res2(self.res1(x)))
        return self.res4(self.res3(x))

    def forward(self, image: Tensor) -> FrameFindings:
        """Pictures (B, 3, 256, 256) in -1..1."""
        x = self.entry(image)
        lateral = {0: x}  # the newest features of each level
        looks = {0: x}  # the first ones
        poses: list[Tensor] = []
        confidences: list[Tensor] = []
        features: list[Tensor] = []
        for place in self.config.places:
            pyramid = self.get_submodule(place.pyramid_name)
            x = lateral[place.level - 1 if place.down else place.level + 1]
            x = pyramid[place.unit_name]["r0"](max_pool(x) if place.down else upsample(x))
            looks.setdefault(place.level, x)
            x = x + lateral[place.level] if place.level in lateral else x
            block = pyramid[place.block_name]
            maps, lateral[place.level] = block(x)
            pose, confidence = read_pose(block.xy, maps.own, maps.depth)
            poses.append(pose)
            confidences.append(confidence)
            if place in self.config.action_places:
                action = self.get_submodule(f"act{len(features) + 1}")
                features.append(action(maps, looks[place.level]))
        return FrameFindings(poses, confidences, torch.cat(features, dim=1) if features else None)


class ActionHead(nn.Module):
    """Maps of actions from features (B, C, T, K), and what of them goes back."""

    def __init__(self, width: int, actions: int, last: bool) -> None:
        super().__init__()
        self.bn1 = BatchNorm(width)
        self.conv1 = Conv(width, width, (3, 3))
        self.bn2 = BatchNorm(width)
        self.conv2h0 = Conv(width, actions, (3, 3))
        self.conv3 = None if last else Conv(actions, width, (3, 3))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        inner = self.conv1(self.bn1(x).relu())
        maps = self.conv2h0(self.bn2(max_min_pool(inner)).relu())
        return maps, x + inner + self.conv3(upsample(maps).relu()) if self.conv3 else x


class ClipAction(nn.Module):
    """The clip's part of an action block: poses, looks and the block before, brought together."""

    def __init__(self, config: SPNetConfig, first: bool, last: bool) -> None:
        super().__init__()
        width, dims = config.action_features, config.dims
        self.action_p_conv0a = Conv(dims, width // 16, (3, 1))
        self.action_p_conv0b = Conv(dims, width // 8, (3, 3))
        self.action_p_conv0c = Conv(dims, width // 4, (3, 5))
        self.action_r1 = Bottleneck(width // 16 + width // 8 + width // 4, width // 2, width)
        self.action_r2 = Bottleneck((2 if first else 3) * width, width // 4, width)
        self.action_pred = ActionHead(width, config.actions, last)

    def forward(self, poses: Tensor, looks: Tensor, before: Tensor | None) -> tuple[Tensor, Tensor]:
        """poses (B, D, T, K) and looks (B, V, T, K); maps of actions, and features (B, C, T, K / 2)."""
        x = torch.cat([self.action_p_conv0a(poses), self.action_p_conv0b(poses), self.action_p_conv0c(poses)], dim=1)
        parts = [_pool_joints(self.action_r1(x)), _pool_joints(looks)]
        return self.action_pred(self.action_r2(torch.cat(parts if before is None else [*parts, before], dim=1)))


def _pool_joints(x: Tensor) -> Tensor:
    """The largest value of neighbours in time and joints: (B, C, T, K) -> (B, C, T, K' / 2).

    Joints that do not pool twice evenly are padded with zeros to the next multiple of four, as the original does (17 to
    20, one on the left).
    """
    missing = -x.shape[3] % 4
    if missing:
        x = F.pad(x, (missing // 2, missing - missing // 2))
    later = torch.cat([x[:, :, 1:], x[:, :, -1:]], dim=2)
    return F.max_pool2d(torch.maximum(x, later), (1, 2))


class SPNetClip(nn.Module):
    """Actions from the features (B, T, F) of T frames."""

    def __init__(self, config: SPNetConfig) -> None:
        super().__init__()
        self.config = config
        places = config.action_places
        for number, place in enumerate(places, 1):
            self.add_module(f"act{number}", ClipAction(config, number == 1, place == places[-1]))
            if number > 1:
                if place.pyramid_name not in self._modules:
                    self.add_module(place.pyramid_name, nn.ModuleDict())
                unit = nn.ModuleDict({"action_r0": Residual(config.action_features, config.action_features, 3)})
                self.get_submodule(place.pyramid_name)[place.unit_name] = unit

    def all_scores(self, features: Tensor) -> list[Tensor]:
        """The scores (B, A) of each action block; the last are the network's result."""
        lateral: dict[int, Tensor] = {}
        before: Tensor | None = None
        scores = []
        for number, (place, part) in enumerate(
            zip(self.config.action_places, features.split(self.config.features_per_block, dim=2), strict=True), 1
        ):
            if before is not None:
                before = self.get_submodule(place.pyramid_name)[place.unit_name]["action_r0"](before)
                before = before + lateral[place.level] if place.level in lateral else before
            poses, looks = unpack(part, self.config.joints, self.config.dims)
            maps, before = self.get_submodule(f"act{number}")(poses, looks, before)
            lateral[place.level] = before
            scores.append(global_max_min(maps).softmax(dim=-1))
        return scores

    def forward(self, features: Tensor) -> Tensor:
        return self.all_scores(features)[-1]


class SPNet(nn.Module):
    """The whole network on clips (B, T, 3, 256, 256)."""

    def __init__(self, config: SPNetConfig) -> None:
        super().__init__()
        self.frame, self.clip = SPNetFrame(config), SPNetClip(config)

    def forward(self, clip: Tensor) -> tuple[FrameFindings, list[Tensor]]:
        found = self.frame(clip.flatten(0, 1))
        return found, self.clip.all_scores(found.features.unflatten(0, clip.shape[:2]))
