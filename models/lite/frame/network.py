"""The frame network of `lite`: a crop of a person to keypoints, after deephar.

Taken from the papers: soft-argmax regression of joints from heat maps (CVPR'18), pyramids with intermediate supervision
and re-injection of the predicted maps (TPAMI'20), visual features pooled under each joint's map (CVPR'18,
appearance-based recognition). Here those features score the joints; actions come from the joints alone, because the
data with actions has no pictures.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite.frame.calibration import Calibration
from models.lite.layout import NUM_JOINTS

INPUT_SIZE = 160  # pixels, side of the crops as served
# Depth of the crop, z from 0 to 1: 2 m to both sides of the pelvis, more than a person of 1.7 m can reach.
DEPTH_SCALE_MM = 4000.0
WINDOW, SHARPNESS = 5, 10.0  # cells; exponent of the mass in a window


def conv_bn_relu(channels_in: int, channels_out: int, stride: int = 1) -> nn.Sequential:
    """A 3x3 convolution, batch normalisation and a relu."""
    return nn.Sequential(
        nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False),
        nn.BatchNorm2d(channels_out),
        nn.ReLU(inplace=True),
    )


class Residual(nn.Module):
    """Two full 3x3 convolutions: on CPUs they come several times nearer to peak speed than depthwise ones."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = conv_bn_relu(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(self.first(x)))


class Up(nn.Module):
    """Upsamples a coarse level's features and adds them to those of the next finer level."""

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.project = nn.Sequential(nn.Conv2d(channels_in, channels_out, 1, bias=False), nn.BatchNorm2d(channels_out))

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        return torch.relu(fine + nn.functional.interpolate(self.project(coarse), scale_factor=2.0, mode="nearest"))


class Prediction(NamedTuple):
    """The output of one pyramid. Heat maps have a quarter of the input's side."""

    heatmaps: Tensor  # (B, K, S/4, S/4), sums to 1 over each map
    keypoints: Tensor  # (B, K, 2), x, y in 0..1 of the crop
    score_logits: Tensor  # (B, K)


def cell_centres(size: int, like: Tensor) -> Tensor:
    """(size,), in 0..1, on the device of `like`."""
    return (torch.arange(size, device=like.device, dtype=torch.float32) + 0.5) / size


def soft_argmax(logits: Tensor) -> tuple[Tensor, Tensor]:
    """Soft-argmax (CVPR'18), with the centres of the cells as positions.

    Args:
        logits: (B, K, H, W).

    Returns:
        Heat maps of the same shape that sum to 1, and the expected positions (B, K, 2), x and y in 0..1.
    """
    height, width = logits.shape[-2:]
    maps = logits.flatten(2).softmax(-1).view_as(logits)
    x = (maps.sum(2) * cell_centres(width, maps)).sum(-1)
    y = (maps.sum(3) * cell_centres(height, maps)).sum(-1)
    return maps, torch.stack((x, y), dim=-1)


def likeliest_position(maps: Tensor) -> Tensor:
    """The position (B, K, 2), x and y in 0..1, around which heat maps (B, K, H, W) have most of their mass.

    The expectation over a map with two peaks lies between them, where no joint is; over the sharpened mass of windows
    it lies on one of them. For inference only: the other peak gets no gradient.
    """
    mass = nn.functional.avg_pool2d(maps, WINDOW, stride=1, padding=WINDOW // 2)
    _, keypoints = soft_argmax(SHARPNESS * torch.log(mass + 1e-9))
    return keypoints


class PredictionHead(nn.Module):
    """Heat maps at twice the features' resolution, joints by soft-argmax, scores from the joint-wise features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.to_maps = nn.Conv2d(channels, NUM_JOINTS * 4, 1)
        self.score_features = nn.Conv2d(channels, 32, 1)
        self.score_weight = nn.Parameter(torch.zeros(NUM_JOINTS, 32))
        self.score_bias = nn.Parameter(torch.zeros(NUM_JOINTS))
        self.score_peak = nn.Parameter(torch.ones(NUM_JOINTS))

    def forward(self, x: Tensor) -> Prediction:
        maps, keypoints = soft_argmax(nn.functional.pixel_shuffle(self.to_maps(x), 2))
        # Detached: the loss of the scores must not move the maps.
        attention = nn.functional.avg_pool2d(maps, 2).detach() * 4  # (B, K, S/8, S/8)
        visual = torch.einsum("bkhw,bchw->bkc", attention, self.score_features(x.detach()))
        # The largest mass of a 2x2 window (TPAMI'20, confidence of a soft-argmax).
        peak = nn.functional.avg_pool2d(maps, 2, stride=1).flatten(2).amax(-1).detach() * 4
        # A matrix product and not a sum of products: OpenVINO 2026.4 fuses that sum with the additions after it, and is
        # then wrong in all rows of a batch but the first.
        read = (visual[:, :, None] @ self.score_weight[..., None])[..., 0, 0]  # (B, K)
        logits = read + self.score_bias + self.score_peak * torch.log(peak + 1e-4)
        return Prediction(maps, keypoints, logits)


@dataclass(frozen=True)
class FrameConfig:
    """Channels at strides 2, 4, 8, 16, 32."""

    channels: tuple[int, int, int, int, int] = (24, 48, 96, 112, 128)


class FrameNetwork(nn.Module):
    """RGB crops (B, 3, S, S) in -1..1, S a multiple of 32, to one `Prediction` per pyramid, the last the best."""

    def __init__(self, config: FrameConfig = FrameConfig()) -> None:
        super().__init__()
        c2, c4, c8, c16, c32 = config.channels
        self.stem = nn.Sequential(conv_bn_relu(3, c2, 2), conv_bn_relu(c2, c4, 2), Residual(c4))  # S/4
        self.entry8 = nn.Sequential(conv_bn_relu(c4, c8, 2), Residual(c8))
        self.down16 = nn.ModuleList(
            [
                nn.Sequential(conv_bn_relu(c8, c16, 2), Residual(c16), Residual(c16)),
                nn.Sequential(conv_bn_relu(c8, c16, 2), Residual(c16)),
            ]
        )
        self.down32 = nn.ModuleList(
            [
                nn.Sequential(conv_bn_relu(c16, c32, 2), Residual(c32), Residual(c32)),
                nn.Sequential(conv_bn_relu(c16, c32, 2), Residual(c32), Residual(c32)),
            ]
        )
        self.up16 = nn.ModuleList(Up(c32, c16) for _ in range(2))
        self.mix16 = nn.ModuleList(Residual(c16) for _ in range(2))
        self.up8 = nn.ModuleList(Up(c16, c8) for _ in range(2))
        self.mix8 = nn.ModuleList(nn.Sequential(Residual(c8), Residual(c8)) for _ in range(2))
        self.heads = nn.ModuleList(PredictionHead(c8) for _ in range(2))
        self.reinject = nn.Conv2d(NUM_JOINTS, c8, 1, bias=False)

    def forward(self, x: Tensor) -> list[Prediction]:
        x8 = self.entry8(self.stem(x))
        predictions: list[Prediction] = []
        for pyramid, head in enumerate(self.heads):
            x16 = self.down16[pyramid](x8)
            x32 = self.down32[pyramid](x16)
            x16 = self.mix16[pyramid](self.up16[pyramid](x32, x16))
            features = self.mix8[pyramid](self.up8[pyramid](x16, x8))
            prediction: Prediction = head(features)
            predictions.append(prediction)
            if pyramid == 0:
                # A map sums to 1: scaled so that a peak is of the order of the features.
                x8 = features + self.reinject(nn.functional.avg_pool2d(prediction.heatmaps, 2) * 16)
        return predictions


class ServedFrame(nn.Module):
    """The frame network as Triton serves it: pixels in; keypoints lifted to 3D, calibrated scores, action features out.

    `lift` maps keypoints (B, K, 2) in 0..1 of the crop and scores (B, K) to millimetres from the pelvis (B, K, 3).
    """

    def __init__(self, network: FrameNetwork, lift: nn.Module, calibration: Calibration = Calibration()) -> None:
        super().__init__()
        self.network, self.lift, self.calibration = network, lift, calibration

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (B, S, S, 3), uint8, to keypoints (B, K, 3) in 0..1, scores (B, K) and action features (B, 3 K)."""
        last = self.network(to_network_range(image))[-1]
        scores = self.calibration.scores(last.score_logits, torch.sigmoid)
        keypoints = likeliest_position(last.heatmaps)
        z = (self.lift(keypoints, scores)[..., 2:] / DEPTH_SCALE_MM + 0.5).clamp(0, 1)
        return torch.cat((keypoints, z), dim=-1), scores, torch.cat((keypoints.flatten(1), scores), dim=1)
