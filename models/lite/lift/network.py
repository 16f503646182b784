"""The lift of `lite`: 2D keypoints of one person to 3D positions.

After Martinez et al. (2017, A simple yet effective baseline for 3d human pose estimation): a few residual blocks of
fully connected layers. The scores are inputs too, so that the network can discount uncertain joints.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.lite.layout import FLIP, NUM_JOINTS
from models.lite.lift.data import STATURE_MM

COORDINATE_LIMIT = 4.0  # in body sizes; a keypoint farther away is an outlier
MIN_WEIGHT = 1e-2  # keeps means defined where every score is 0
SMALLEST = 1e-7  # of a squared body size; a body in its crop has 0.04. (The exporter takes 1e-8 for 0 and drops it.)
ROUNDS = 2


def normalise(keypoints: Tensor, scores: Tensor) -> Tensor:
    """Keypoints (B, K, 2) relative to the body's centre, in body sizes: the crop's position and scale cancel out.

    Centre and size are robust to outliers by two rounds of reweighting by distance. Scores are (B, K).
    """
    weight = (scores + MIN_WEIGHT)[..., None]
    trust = weight
    for _ in range(ROUNDS):
        centre = (keypoints * trust).sum(1, keepdim=True) / trust.sum(1, keepdim=True)
        squared = ((keypoints - centre) ** 2).sum(-1, keepdim=True)  # (B, K, 1)
        body = (squared * trust).sum(1, keepdim=True) / trust.sum(1, keepdim=True) + SMALLEST
        trust = weight / (1.0 + squared / (4.0 * body))
    centre = (keypoints * trust).sum(1, keepdim=True) / trust.sum(1, keepdim=True)
    return ((keypoints - centre) * torch.rsqrt(body)).clamp(-COORDINATE_LIMIT, COORDINATE_LIMIT)


@dataclass(frozen=True)
class LiftConfig:
    """Size of the network."""

    width: int = 384
    blocks: int = 3
    dropout: float = 0.0  # no view is drawn twice


class LinearResidual(nn.Module):
    """Two fully connected layers, (B, C) to (B, C)."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for _ in range(2):
            layers += [
                nn.Linear(channels, channels, bias=False),
                nn.BatchNorm1d(channels),
                nn.ReLU(inplace=True),
                nn.Dropout(dropout),
            ]
        self.body = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.body(x)


class LiftNetwork(nn.Module):
    """Normalised keypoints (B, 16, 2) and scores (B, 16) to positions (B, 16, 3) in statures, of no fixed origin."""

    def __init__(self, config: LiftConfig = LiftConfig()) -> None:
        super().__init__()
        described = NUM_JOINTS * 5  # x, y; x, y times score; score
        self.enter = nn.Sequential(
            nn.Linear(described, config.width, bias=False), nn.BatchNorm1d(config.width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(LinearResidual(config.width, config.dropout) for _ in range(config.blocks)))
        self.leave = nn.Linear(config.width, NUM_JOINTS * 3)
        self.straight = nn.Linear(described, NUM_JOINTS * 3, bias=False)  # x and y are inputs, but for scale
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.straight.weight)

    def forward(self, normalised: Tensor, scores: Tensor) -> Tensor:
        trusted = normalised * scores[..., None]
        x = torch.cat((normalised.flatten(1), trusted.flatten(1), scores * 2.0 - 1.0), dim=1)
        positions: Tensor = self.leave(self.blocks(self.enter(x))) + self.straight(x)
        return positions.unflatten(1, (NUM_JOINTS, 3))


def in_mm(positions: Tensor) -> Tensor:
    """Positions (B, 16, 3) in statures to millimetres from the pelvis."""
    return (positions - positions[:, :1]) * STATURE_MM


class ServedLift(nn.Module):
    """The lift within the served frame network: keypoints (B, 16, 2), scores (B, 16) to (B, 16, 3) mm, pelvis at 0.

    A flip test is built in: the mean of the outputs for the keypoints and for their mirror image.
    """

    joints: Tensor
    plane: Tensor
    space: Tensor

    def __init__(self, network: LiftNetwork) -> None:
        super().__init__()
        self.network = network
        self.register_buffer("joints", torch.from_numpy(FLIP), persistent=False)
        self.register_buffer("plane", torch.tensor([-1.0, 1.0]), persistent=False)
        self.register_buffer("space", torch.tensor([-1.0, 1.0, 1.0]), persistent=False)

    def forward(self, keypoints: Tensor, keypoint_scores: Tensor) -> Tensor:
        normalised = normalise(keypoints, keypoint_scores)
        positions = self.network(normalised, keypoint_scores)
        mirrored = self.network((normalised * self.plane)[:, self.joints], keypoint_scores[:, self.joints])
        return in_mm((positions + (mirrored * self.space)[:, self.joints]) * 0.5)
