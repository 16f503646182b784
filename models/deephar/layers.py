"""Layers of deephar's networks, with Keras' 'same' padding and batch normalisation.

No layer has a bias. Tensors are (B, C, H, W); maps of actions are (B, C, T, K).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

BATCH_NORM_EPSILON = 1e-3  # Keras' default; torch's 1e-5 changes every output by 7e-4 and more


class Conv(nn.Conv2d):
    """Convolution with 'same' padding; an odd row or column of padding is at the bottom or the right.

    A stride of 2 expects even sizes, as all networks here have.
    """

    def __init__(self, channels: int, out: int, kernel: tuple[int, int] = (1, 1), stride: int = 1) -> None:
        rows, columns = (size - stride for size in kernel)  # rows and columns of padding in all
        even = stride == 1
        super().__init__(channels, out, kernel, stride, (rows // 2, columns // 2) if even else 0, bias=False)
        self._edges = (0, 0, 0, 0) if even else (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self._edges) if any(self._edges) else x)


class SeparableConv(nn.Module):
    """A depthwise convolution and a pointwise one, with nothing between."""

    def __init__(self, channels: int, out: int, kernel: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, kernel, padding=kernel // 2, groups=channels, bias=False)
        self.pointwise = nn.Conv2d(channels, out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class BatchNorm(nn.BatchNorm2d):
    """Batch normalisation; with `scale=False`, as in the CVPR'18 networks, without gamma."""

    def __init__(self, channels: int, scale: bool = True) -> None:
        super().__init__(channels, eps=BATCH_NORM_EPSILON, momentum=0.01)
        self.scale = scale
        self.weight.requires_grad_(scale)


def max_pool(x: Tensor, kernel: int = 2, stride: int = 2) -> Tensor:
    """Max pooling with 'same' padding, of maps (B, C, H, W)."""
    return F.max_pool2d(x, kernel, stride, ceil_mode=True)


def max_min_pool(x: Tensor) -> Tensor:
    """Max plus min pooling of 2 x 2 windows (CVPR'18, action heat maps)."""
    return max_pool(x) - max_pool(-x)


def global_max_min(x: Tensor) -> Tensor:
    """Global max plus min pooling: maps (B, A, T, K) to (B, A)."""
    return x.amax((2, 3)) + x.amin((2, 3))


def upsample(x: Tensor) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def spatial_softmax(maps: Tensor) -> Tensor:
    """Softmax of each map (B, K, H, W) over its cells."""
    return maps.flatten(2).softmax(dim=-1).unflatten(2, maps.shape[2:])


class SoftArgmax(nn.Module):
    """Expected position (B, K, 2) in probability maps (B, K, H, W): x, y in 0..1, the ends included (CVPR'18).

    The ramps are part of the released files and are read from there.
    """

    ramp_x: Tensor
    ramp_y: Tensor

    def __init__(self, rows: int, columns: int) -> None:
        super().__init__()
        self.register_buffer("ramp_x", torch.linspace(0, 1, columns))
        self.register_buffer("ramp_y", torch.linspace(0, 1, rows))

    def forward(self, probabilities: Tensor) -> Tensor:
        x = (probabilities.sum(2) * self.ramp_x).sum(-1)  # (B, K)
        y = (probabilities.sum(3) * self.ramp_y).sum(-1)
        return torch.stack([x, y], dim=-1)  # (B, K, 2)


class DepthArgmax(nn.Module):
    """Expected depth (B, K, 1) in probabilities (B, D, K): z in 0..1 (CVPR'18, unified 2D/3D pose)."""

    ramp_z: Tensor

    def __init__(self, depths: int) -> None:
        super().__init__()
        self.register_buffer("ramp_z", torch.linspace(0, 1, depths))

    def forward(self, probabilities: Tensor) -> Tensor:
        return (probabilities * self.ramp_z[:, None]).sum(1)[..., None]  # (B, K, 1)
