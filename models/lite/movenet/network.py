"""MoveNet's trunk and heads in torch: MobileNetV2 (Sandler et al., 2018) and a feature pyramid to stride 4.

Batch normalisation is folded into the convolutions, as in the published weights: train gently.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

FEATURES = 24  # channels of the pyramid's last level, at stride 4
HEAD_FEATURES = 96
# Of the published networks for one person: output channels, two for x and y.
HEADS = {"center": 1, "kpt_heatmap": 17, "kpt_regress": 34, "kpt_offset": 34}
BOX_HEADS = {"center": 1, "box_scale": 2, "box_offset": 2}  # of the one for several people; it has HEADS too


@dataclass(frozen=True)
class TrunkConfig:
    """Channels: of the first convolution, of each block's output, of the pyramid's levels from stride 32 to 4."""

    stem: int
    blocks: tuple[int, ...]
    pyramid: tuple[int, int, int, int] = (64, 32, 24, FEATURES)


LIGHTNING = TrunkConfig(32, (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320))
MULTIPOSE = TrunkConfig(48, (24, 40, 40, 48, 48, 48, 96, 96, 96, 96, 144, 144, 144, 240, 240, 240, 480))
THUNDER = TrunkConfig(56, (32, 40, 40, 56, 56, 56, 112, 112, 112, 112, 168, 168, 168, 280, 280, 280, 560))
FROZEN_BLOCKS = 3  # up to stride 4: edges and colours need no training, and cost half of its time
STRIDED = (1, 3, 6, 13)  # blocks that halve the resolution
LATERAL = (9, 5, 2)  # blocks that the pyramid takes its levels from
EXPANSION, TOP = 6, 1280


class SamePadded(nn.Conv2d):
    """A 3x3 convolution that pads as TensorFlow's SAME does: with stride 2, on the right and below only."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, groups: int = 1, bias: bool = True) -> None:
        super().__init__(channels_in, channels_out, 3, stride, 1 if stride == 1 else 0, groups=groups, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x if self.stride[0] == 1 else nn.functional.pad(x, (0, 1, 0, 1)))


class InvertedResidual(nn.Module):
    """MobileNetV2's block: expand, 3x3 depthwise, project; the sum with the input where shapes agree."""

    def __init__(self, channels_in: int, channels_out: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = channels_in * expansion
        layers: list[nn.Module] = []
        if expansion > 1:
            layers += [nn.Conv2d(channels_in, wide, 1), nn.ReLU6(inplace=True)]
        layers += [
            SamePadded(wide, wide, stride, groups=wide),
            nn.ReLU6(inplace=True),
            nn.Conv2d(wide, channels_out, 1),
        ]
        self.body = nn.Sequential(*layers)
        self.is_sum = stride == 1 and channels_in == channels_out

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.body(x)
        return x + y if self.is_sum else y


def separable(channels_in: int, channels_out: int) -> nn.Sequential:
    """A 3x3 depthwise and a 1x1 convolution, then a relu."""
    return nn.Sequential(
        SamePadded(channels_in, channels_in, 1, groups=channels_in, bias=False),
        nn.Conv2d(channels_in, channels_out, 1),
        nn.ReLU(inplace=True),
    )


class Trunk(nn.Module):
    """RGB (B, 3, S, S) in -1..1, S a multiple of 32, to features (B, 24, S/4, S/4)."""

    def __init__(self, config: TrunkConfig = LIGHTNING) -> None:
        super().__init__()
        self.stem = nn.Sequential(SamePadded(3, config.stem, 2), nn.ReLU6(inplace=True))
        widths = (config.stem, *config.blocks)
        self.blocks = nn.ModuleList(
            InvertedResidual(widths[i], widths[i + 1], 2 if i in STRIDED else 1, EXPANSION if i else 1)
            for i in range(len(config.blocks))
        )
        levels = config.pyramid
        self.top = nn.Sequential(nn.Conv2d(widths[-1], TOP, 1), nn.ReLU6(inplace=True), nn.Conv2d(TOP, levels[0], 1))
        self.lateral = nn.ModuleList(
            nn.Conv2d(config.blocks[block], channels, 1) for block, channels in zip(LATERAL, levels, strict=False)
        )
        self.merge = nn.ModuleList(separable(levels[i], levels[i + 1]) for i in range(3))

    def freeze(self) -> None:
        """Leaves the first blocks as they are in training."""
        for part in (self.stem, *self.blocks[:FROZEN_BLOCKS]):
            part.requires_grad_(False)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        kept: dict[int, Tensor] = {}
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in LATERAL:
                kept[i] = x
        x = self.top(x)
        for block, lateral, merge in zip(LATERAL, self.lateral, self.merge, strict=True):
            up = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = merge(up + lateral(kept[block]))
        return x


def head(channels_out: int) -> nn.Sequential:
    """One of MoveNet's heads on the trunk's features."""
    return nn.Sequential(separable(FEATURES, HEAD_FEATURES), nn.Conv2d(HEAD_FEATURES, channels_out, 1))


class MoveNet(nn.Module):
    """The published network without its last decoding: maps at stride 4, by the heads' names."""

    def __init__(self, config: TrunkConfig, heads: dict[str, int]) -> None:
        super().__init__()
        self.trunk = Trunk(config)
        self.heads = nn.ModuleDict({name: head(channels) for name, channels in heads.items()})

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        features = self.trunk(x)
        return {name: layers(features) for name, layers in self.heads.items()}
