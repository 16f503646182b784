"""The clip network of `lite`: 16 frames' joints to Penn Action's 15 actions, or to none of them.

After CVPR'18 section 4.2, an action is read from the movement of the joints by convolutions over time. There the joints
are rows of a picture; here each joint is first embedded on its own, so that the network can learn to distrust joints
with low scores before it mixes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.lite.layout import (
    ACTIONS,
    BODY_ELBOWS,
    BODY_FLIP,
    BODY_HIPS,
    BODY_JOINTS,
    BODY_KNEES,
    BODY_SHOULDERS,
    FIRST_JOINT,
    NUM_JOINTS,
)

NUM_ACTIONS = len(ACTIONS)
# Added to the logit of "none of these" as served. It changes no order among the actions. With 0, one in seven still or
# shuffled clips gets a score above 0.5; with this, one in twelve.
DOUBT = 1.2
NUM_CLASSES = NUM_ACTIONS + 1  # and "none of these"
# window x y, frame x y, velocity x y, movement against the window's middle x y, score, place from its parent x y,
# the parent's score
CHANNELS_PER_JOINT = 12
# Of each body joint the one nearer to the body's middle; of a hip the other hip. The head's is between the shoulders.
_PARENTS = (*BODY_HIPS, *BODY_SHOULDERS, *BODY_ELBOWS, *BODY_HIPS[::-1], *BODY_HIPS, *BODY_KNEES)
PARENTS = tuple(tuple(int(parent) for parent in (shoulder, *_PARENTS)) for shoulder in BODY_SHOULDERS)
MIRROR = tuple(BODY_FLIP.tolist())
COORDINATE_LIMIT = 4.0  # in body sizes; a joint farther away is no joint
MIN_WEIGHT = 1e-3  # keeps means defined where every score is 0


def weighted_mean(points: Tensor, weight: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Mean of points (B, T, J, 2) over `dims` with weights (B, T, J, 1) > 0; reduced axes are kept."""
    return (points * weight).sum(dims, keepdim=True) / weight.sum(dims, keepdim=True)


def to_picture(keypoints: Tensor, boxes: Tensor) -> Tensor:
    """Keypoints (B, T, J, 2) in 0..1 of their frame's crop (B, T, 4 = x, y, w, h) to one system for the window.

    Its unit is the window's mean crop and its origin that crop's centre, not pixels: values stay near 1 whatever the
    picture's resolution, so that their squares survive half precision.
    """
    corner, size = boxes[..., None, :2], boxes[..., None, 2:]  # (B, T, 1, 2)
    unit = size.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
    origin = (corner + size * 0.5).mean(1, keepdim=True)
    return (corner - origin) / unit + keypoints * (size / unit)


def normalise(points: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, T, J, 2) with scores (B, T, J) relative to the window's body and relative to each frame's body.

    Two rounds of reweighting by distance keep joints far from the others out of centre and size.
    """
    weight = (scores * scores + MIN_WEIGHT)[..., None]
    trust = weight
    for _ in range(2):
        frame_centre = weighted_mean(points, trust, (2,))  # (B, T, 1, 2)
        offset = (points - frame_centre).clamp(-COORDINATE_LIMIT, COORDINATE_LIMIT)
        squared = (offset * offset).sum(-1, keepdim=True)  # (B, T, J, 1)
        body = weighted_mean(squared, trust, (1, 2)) + 1e-4
        trust = weight / (1.0 + squared / (2.0 * body))
    frame_centre = weighted_mean(points, trust, (2,))
    window_centre = weighted_mean(points, trust, (1, 2))
    scale = torch.rsqrt(body)
    in_window = ((points - window_centre) * scale).clamp(-COORDINATE_LIMIT, COORDINATE_LIMIT)
    in_frame = ((points - frame_centre) * scale).clamp(-COORDINATE_LIMIT, COORDINATE_LIMIT)
    return in_window, in_frame


def difference(x: Tensor) -> Tensor:
    """x[t] - x[t - 1] along axis 1, 0 at the first frame."""
    return x - torch.cat((x[:, :1], x[:, :-1]), dim=1)


class Seen(NamedTuple):
    """Joints of a window as the network sees them."""

    in_window: Tensor  # (B, T, 13, 2) from the window's body, in its size
    in_frame: Tensor  # (B, T, 13, 2) from each frame's body
    scores: Tensor  # (B, T, 13)


def mirrored(seen: Seen) -> Seen:
    """The same movement in a mirror: right is left."""
    across = torch.tensor([-1.0, 1.0], device=seen.scores.device)
    return Seen(seen.in_window[:, :, MIRROR] * across, seen.in_frame[:, :, MIRROR] * across, seen.scores[:, :, MIRROR])


@dataclass(frozen=True)
class ClipConfig:
    per_joint: int = 20
    width: int = 128
    blocks: int = 4
    dropout: float = 0.3


class TemporalResidual(nn.Module):
    """Two convolutions over 3 frames each, (B, C, T) to (B, C, T)."""

    def __init__(self, channels: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(channels),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Conv1d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm1d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.body(x))


class ClipNetwork(nn.Module):
    """Action features (B, T, 48) and crop boxes (B, T, 4; x, y, width, height in pixels) to logits (B, 16).

    The last class is that of everything which is none of the actions.
    """

    def __init__(self, config: ClipConfig = ClipConfig()) -> None:
        super().__init__()
        embedded = BODY_JOINTS * config.per_joint
        # One small network per joint (groups): joint-wise gating by score before joints meet.
        self.embed = nn.Sequential(
            nn.Conv1d(BODY_JOINTS * CHANNELS_PER_JOINT, embedded, 3, padding=1, groups=BODY_JOINTS, bias=False),
            nn.BatchNorm1d(embedded),
            nn.ReLU(inplace=True),
            nn.Conv1d(embedded, embedded, 1, groups=BODY_JOINTS, bias=False),
            nn.BatchNorm1d(embedded),
            nn.ReLU(inplace=True),
        )
        self.mix = nn.Sequential(
            nn.Conv1d(embedded, config.width, 1, bias=False), nn.BatchNorm1d(config.width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(TemporalResidual(config.width, config.dropout / 2) for _ in range(config.blocks)))
        self.dropout = nn.Dropout(config.dropout)
        self.classify = nn.Linear(2 * config.width, NUM_CLASSES)

    def see(self, action_features: Tensor, crop_boxes: Tensor) -> Seen:
        flat = action_features[..., 2 * FIRST_JOINT : 2 * NUM_JOINTS]
        keypoints = torch.stack((flat[..., 0::2], flat[..., 1::2]), dim=-1)  # (B, T, 13, 2)
        scores = action_features[..., 2 * NUM_JOINTS + FIRST_JOINT :]  # (B, T, 13)
        in_window, in_frame = normalise(to_picture(keypoints, crop_boxes), scores)
        return Seen(in_window, in_frame, scores)

    def describe(self, seen: Seen) -> Tensor:
        """Normalised joints, movements and scores, (B, 13 x 12, T), the channels of a joint side by side."""
        in_frame, scores = seen.in_frame, seen.scores
        parents = [(in_frame[:, :, own], scores[:, :, own]) for own in PARENTS]
        channels = (
            seen.in_window,
            in_frame,
            difference(in_frame),
            in_frame - in_frame.mean(1, keepdim=True),
            scores[..., None] * 2.0 - 1.0,
            in_frame - (parents[0][0] + parents[1][0]) * 0.5,
            (parents[0][1] + parents[1][1])[..., None] - 1.0,
        )
        return torch.cat(channels, dim=-1).flatten(2).transpose(1, 2)

    def judge(self, seen: Seen) -> Tensor:
        """Logits (B, 16)."""
        x = self.blocks(self.mix(self.embed(self.describe(seen))))
        pooled = torch.cat((x.mean(-1), x.amax(-1)), dim=1)
        logits: Tensor = self.classify(self.dropout(pooled))
        return logits

    def forward(self, action_features: Tensor, crop_boxes: Tensor) -> Tensor:
        return self.judge(self.see(action_features, crop_boxes))


class ServedClip(nn.Module):
    """The clip network as Triton serves it: `action_features`, `crop_boxes` to `action_scores` (B, 15).

    The mean of what it says of a window and of its mirror image. Scores sum to 1 less the chance of "none of these".
    """

    def __init__(self, network: ClipNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, action_features: Tensor, crop_boxes: Tensor) -> Tensor:
        seen = self.network.see(action_features, crop_boxes)
        both = Seen(*(torch.stack((one, other)).flatten(0, 1) for one, other in zip(seen, mirrored(seen), strict=True)))
        logits = self.network.judge(both)
        logits = torch.cat((logits[:, :NUM_ACTIONS], logits[:, NUM_ACTIONS:] + DOUBT), dim=1)
        scores = logits.softmax(-1).unflatten(0, (2, -1)).mean(0)
        return scores[:, :NUM_ACTIONS]
