"""ReceptionNet: the pose network of deephar's CVPR'18 paper, 2D and, in its unified form, volumetric 3D.

A stem brings 256 x 256 crops to 32 x 32 x 576. Each of the following blocks refines the pose with maps of its own and
passes its features and maps on to the next. This is the original's `cvpr18` form, the one of its released weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.deephar.layers import (
    BatchNorm,
    Conv,
    DepthArgmax,
    SeparableConv,
    SoftArgmax,
    max_pool,
    spatial_softmax,
    upsample,
)

WIDTH = 576  # channels between blocks
OWN_SHARE = 0.8  # of a joint's own map in its position; the rest is of its context maps


@dataclass(frozen=True)
class ReceptionConfig:
    """Size of the network."""

    joints: int
    dims: int = 2
    blocks: int = 8
    contexts: int = 2  # context maps of a joint, 2D only
    depths: int = 16  # depth maps of a joint, 3D only
    kernel: int = 5
    map_size: int = 32  # an eighth of the picture

    @property
    def maps(self) -> int:
        return self.joints * (self.depths if self.dims == 3 else 1 + self.contexts)


class PoseMaps(NamedTuple):
    """What is read from the maps of one block."""

    pose: Tensor  # (B, K, D), x, y (, z) in 0..1
    evidence: Tensor  # (B, K, 1), the logit of the visibility
    probabilities: Tensor  # (B, K, H, W), of the joints' positions


class ConvBn(nn.Module):
    """Convolution and batch normalisation, with a relu before, after or not at all."""

    def __init__(
        self, channels: int, out: int, kernel: tuple[int, int] = (1, 1), stride: int = 1, relu: str = ""
    ) -> None:
        super().__init__()
        self.conv = Conv(channels, out, kernel, stride)
        self.bn = BatchNorm(out, scale=False)
        self.relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x.relu() if self.relu == "before" else x))
        return x.relu() if self.relu == "after" else x


class SeparableResidual(nn.Module):
    """x + bn(separable convolution(relu(x))); the shortcut is a 1 x 1 convolution where the width changes."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.shortcut = ConvBn(channels, out, relu="before") if channels != out else None
        self.conv = SeparableConv(channels, out, kernel)
        self.bn = BatchNorm(out, scale=False)

    def forward(self, x: Tensor) -> Tensor:
        return (self.shortcut(x) if self.shortcut else x) + self.bn(self.conv(x.relu()))


class Stem(nn.Module):
    """(B, 3, 256, 256) -> (B, 576, 32, 32), after Inception-v4."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = ConvBn(3, 32, (3, 3), stride=2, relu="after")
        self.conv2 = ConvBn(32, 32, (3, 3), relu="after")
        self.conv3 = ConvBn(32, 64, (3, 3), relu="after")
        self.conv4 = ConvBn(64, 96, (3, 3), stride=2, relu="after")
        self.conv5 = ConvBn(160, 64, relu="after")
        self.conv6 = ConvBn(64, 96, (3, 3))
        self.conv7 = ConvBn(160, 64, relu="after")
        self.conv8 = ConvBn(64, 64, (5, 1), relu="after")
        self.conv9 = ConvBn(64, 64, (1, 5), relu="after")
        self.conv10 = ConvBn(64, 96, (3, 3))
        self.conv11 = ConvBn(192, 192, (3, 3), stride=2, relu="before")
        self.sepconv1 = SeparableResidual(384, WIDTH, 3)

    def forward(self, image: Tensor) -> Tensor:
        x = self.conv3(self.conv2(self.conv1(image)))  # (B, 64, 128, 128)
        x = torch.cat([self.conv4(x), max_pool(x, 3)], dim=1)  # (B, 160, 64, 64)
        short, tall = self.conv6(self.conv5(x)), self.conv10(self.conv9(self.conv8(self.conv7(x))))
        x = torch.cat([short, tall], dim=1)  # (B, 192, 64, 64)
        x = torch.cat([self.conv11(x), max_pool(x)], dim=1)  # (B, 384, 32, 32)
        return self.sepconv1(x)


class ReceptionBlock(nn.Module):
    """Separable residual units at three resolutions, summed."""

    def __init__(self, kernel: int) -> None:
        super().__init__()
        half = WIDTH // 2
        self.reduce = ConvBn(WIDTH, half, relu="before")
        self.l1 = SeparableResidual(WIDTH, WIDTH, kernel)
        self.l2_1 = SeparableResidual(half, half, kernel)
        self.l2_2 = SeparableResidual(half, half, kernel)
        self.l2_3 = SeparableResidual(half, WIDTH, kernel)
        self.l3_1 = SeparableResidual(half, half, kernel)
        self.l3_2 = SeparableResidual(half, half, kernel)
        self.l3_3 = SeparableResidual(half, half, kernel)

    def forward(self, x: Tensor) -> Tensor:
        half = self.l2_1(self.reduce(max_pool(x)))  # (B, 288, 16, 16)
        quarter = self.l3_3(self.l3_2(self.l3_1(max_pool(half))))  # (B, 288, 8, 8)
        half = self.l2_3(self.l2_2(half) + upsample(quarter))  # (B, 576, 16, 16)
        return self.l1(x) + upsample(half)


class PredictionBlock(nn.Module):
    """Features to maps, and both to the next block's features."""

    def __init__(self, config: ReceptionConfig, last: bool) -> None:
        super().__init__()
        self.reception = ReceptionBlock(config.kernel)
        self.sepconv = SeparableConv(WIDTH, WIDTH, config.kernel)
        self.bn = BatchNorm(WIDTH, scale=False)
        self.maps = Conv(WIDTH, config.maps)
        self.reinject = None if last else ConvBn(config.maps, WIDTH, relu="before")

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The maps, and the next block's input; that of the last block is not used."""
        return self.after_reception(self.reception(x))

    def after_reception(self, x: Tensor) -> tuple[Tensor, Tensor]:
        features = self.bn(self.sepconv(x.relu()))
        maps = self.maps(features.relu())
        return maps, x + features + self.reinject(maps) if self.reinject else features


class ContextHead(nn.Module):
    """2D: one map for each joint, then `contexts` maps for each, which place it by its surroundings."""

    def __init__(self, config: ReceptionConfig) -> None:
        super().__init__()
        self.config = config
        self.place = SoftArgmax(config.map_size, config.map_size)
        self.around = SoftArgmax(config.map_size, config.map_size)

    def forward(self, maps: Tensor) -> PoseMaps:
        joints, contexts = self.config.joints, self.config.contexts
        probabilities = spatial_softmax(maps)
        evidence = maps.amax((2, 3))[..., None]
        pose = self.place(probabilities[:, :joints])
        if contexts:
            weight = evidence[:, joints:].sigmoid().unflatten(1, (joints, contexts))  # (B, K, contexts, 1)
            around = self.around(probabilities[:, joints:]).unflatten(1, (joints, contexts))
            pose = OWN_SHARE * pose + (1 - OWN_SHARE) * (weight * around).sum(2) / weight.sum(2)
        return PoseMaps(pose, evidence[:, :joints], probabilities[:, :joints])


class VolumeHead(nn.Module):
    """3D: `depths` maps for each joint; x, y from their mean over depth, z from their mean over space."""

    def __init__(self, config: ReceptionConfig) -> None:
        super().__init__()
        self.config = config
        self.place = SoftArgmax(config.map_size, config.map_size)
        self.depth = DepthArgmax(config.depths)

    def forward(self, maps: Tensor) -> PoseMaps:
        volume = maps.unflatten(1, (self.config.depths, self.config.joints))  # (B, depths, K, H, W)
        flat, deep = volume.mean(1), volume.mean((3, 4))  # (B, K, H, W), (B, depths, K)
        probabilities = spatial_softmax(flat)
        pose = torch.cat([self.place(probabilities), self.depth(deep.softmax(1))], dim=-1)
        evidence = flat.amax((2, 3)) + deep.amax(1)
        return PoseMaps(pose, evidence[..., None], probabilities)


class ReceptionNet(nn.Module):
    """The whole network."""

    def __init__(self, config: ReceptionConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem()
        self.blocks = nn.ModuleList(
            PredictionBlock(config, last=number == config.blocks) for number in range(1, config.blocks + 1)
        )
        self.head = VolumeHead(config) if config.dims == 3 else ContextHead(config)

    def forward(self, image: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Crops (B, 3, 256, 256) in -1..1 to the pose (B, K, D) in 0..1 and visibility (B, K, 1) of each block."""
        x, outputs = self.stem(image), []
        for block in self.blocks:
            maps, x = block(x)
            seen = self.head(maps)
            outputs.append((seen.pose, seen.evidence.sigmoid()))
        return outputs
