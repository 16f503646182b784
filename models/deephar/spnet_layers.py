"""Residual units of both parts of SPNet."""

from __future__ import annotations

from torch import Tensor, nn

from models.deephar.layers import BatchNorm, Conv, SeparableConv


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
    """A residual unit of a 1 x 1 convolution to `inner` channels and a 3 x 3 one."""

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
