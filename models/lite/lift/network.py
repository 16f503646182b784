"""The lift of `lite`: one person's joints in a picture to places in space.

After Martinez et al. (2017, A simple yet effective baseline for 3d human pose estimation): a few residual blocks of
fully connected layers. Scores go in beside the joints, so that the network can distrust some of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from models.lite.layout import FLIP, NUM_JOINTS
from models.lite.lift.data import STATURE_MM

COORDINATE_LIMIT = 4.0  # in body sizes; a joint farther away is no joint
MIN_WEIGHT = 1e-2  # keeps means defined where every score is 0
SMALLEST = 1e-7  # of a squared body size; a body in its crop has 0.04. (The exporter takes 1e-8 for 0 and drops it.)
ROUNDS = 2


def normalise(keypoints: Tensor, scores: Tensor) -> Tensor:
    """Keypoints (B, K, 2) relative to the body's middle, in body sizes. Shift and scale of the crop cancel out.

    Two rounds of reweighting by distance keep joints far from the others out of middle and size.
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
    width: int = 384
    blocks: int = 3
    dropout: float = 0.0  # the views never repeat


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
    """Normalised keypoints (B, 16, 2) and scores (B, 16) to places (B, 16, 3) in statures, at no certain origin."""

    def __init__(self, config: LiftConfig = LiftConfig()) -> None:
        super().__init__()
        described = NUM_JOINTS * 5  # x, y; x, y times score; score
        self.enter = nn.Sequential(
            nn.Linear(described, config.width, bias=False), nn.BatchNorm1d(config.width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(LinearResidual(config.width, config.dropout) for _ in range(config.blocks)))
        self.leave = nn.Linear(config.width, NUM_JOINTS * 3)
        self.straight = nn.Linear(described, NUM_JOINTS * 3, bias=False)  # x and y are there already, but for scale
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.straight.weight)

    def forward(self, normalised: Tensor, scores: Tensor) -> Tensor:
        trusted = normalised * scores[..., None]
        x = torch.cat((normalised.flatten(1), trusted.flatten(1), scores * 2.0 - 1.0), dim=1)
        places: Tensor = self.leave(self.blocks(self.enter(x))) + self.straight(x)
        return places.unflatten(1, (NUM_JOINTS, 3))


def in_mm(places: Tensor) -> Tensor:
    """Places (B, 16, 3) in statures to millimetres from the pelvis."""
    return (places - places[:, :1]) * STATURE_MM


class ServedLift(nn.Module):
    """The lift within the served frame network: keypoints (B, 16, 2), scores (B, 16) to (B, 16, 3) mm, pelvis at 0.

    The mean of what the network says of the picture and of its mirror image.
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
        places = self.network(normalised, keypoint_scores)
        mirrored = self.network((normalised * self.plane)[:, self.joints], keypoint_scores[:, self.joints])
        return in_mm((places + (mirrored * self.space)[:, self.joints]) * 0.5)
