"""The clip network of `lite`: keypoints of 16 frames to Penn Action's 15 actions and a background class.

After CVPR'18 section 4.2, actions are recognised by convolutions over the time of the joints. There the joints are rows
of a picture; here each joint is embedded on its own first, so that the network can learn to discount joints with low
scores before it mixes them.
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
# Added to the served logit of the background class. It changes no order among the actions. With 0, one in seven still
# or shuffled clips gets a score above 0.5; with this, one in twelve.
BACKGROUND_BIAS = 1.2
NUM_CLASSES = NUM_ACTIONS + 1  # and the background class
# x y in the window, x y in the frame, velocity x y, x y from the window's mean, score, x y from the parent, the
# parent's score
CHANNELS_PER_JOINT = 12
# Of each body joint the next one towards the body's centre; of a hip the other hip. Of the head the mean of both
# shoulders.
_PARENTS = (*BODY_HIPS, *BODY_SHOULDERS, *BODY_ELBOWS, *BODY_HIPS[::-1], *BODY_HIPS, *BODY_KNEES)
PARENTS = tuple(tuple(int(parent) for parent in (shoulder, *_PARENTS)) for shoulder in BODY_SHOULDERS)
MIRROR = tuple(BODY_FLIP.tolist())
COORDINATE_LIMIT = 4.0  # in body sizes; a keypoint farther away is an outlier
MIN_WEIGHT = 1e-3  # keeps means defined where every score is 0


def weighted_mean(points: Tensor, weight: Tensor, dims: tuple[int, ...]) -> Tensor:
    """Mean of points (B, T, J, 2) over `dims`, weighted by (B, T, J, 1) > 0; reduced axes are kept."""
    return (points * weight).sum(dims, keepdim=True) / weight.sum(dims, keepdim=True)


def to_picture(keypoints: Tensor, boxes: Tensor) -> Tensor:
    """Keypoints from coordinates of each frame's crop to coordinates that the whole window shares.

    The unit is the window's mean crop and the origin its centre, not pixels: values stay near 1 at any resolution of
    the picture, so that their squares survive half precision.

    Args:
        keypoints: (B, T, J, 2) in 0..1 of the crops.
        boxes: The crops (B, T, 4) as x, y, width, height in pixels.
    """
    corner, size = boxes[..., None, :2], boxes[..., None, 2:]  # (B, T, 1, 2)
    unit = size.mean((1, 2, 3), keepdim=True).clamp(min=1e-3)
    origin = (corner + size * 0.5).mean(1, keepdim=True)
    return (corner - origin) / unit + keypoints * (size / unit)


def normalise(points: Tensor, scores: Tensor) -> tuple[Tensor, Tensor]:
    """Points (B, T, J, 2) relative to the centre of the body in the window, and in each frame; in body sizes.

    Centres and size are robust to outliers by two rounds of reweighting by distance. Scores are (B, T, J).
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


class NormalisedJoints(NamedTuple):
    """The body's joints in windows, in body sizes."""

    in_window: Tensor  # (B, T, 13, 2) from the body's centre in the window
    in_frame: Tensor  # (B, T, 13, 2) from its centre in each frame
    scores: Tensor  # (B, T, 13)


def mirrored(joints: NormalisedJoints) -> NormalisedJoints:
    """The mirrored movement: left and right change places."""
    across = torch.tensor([-1.0, 1.0], device=joints.scores.device)
    in_window, in_frame, scores = (values[:, :, MIRROR] for values in joints)
    return NormalisedJoints(in_window * across, in_frame * across, scores)


@dataclass(frozen=True)
class ClipConfig:
    """Size of the network."""

    per_joint: int = 20
    width: int = 128
    blocks: int = 4
    dropout: float = 0.3


class TemporalResidual(nn.Module):
    """Two convolutions over time, of kernel 3, (B, C, T) to (B, C, T)."""

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
    """Action features (B, T, 48) and crop boxes (B, T, 4; x, y, width, height in pixels) to logits (B, C).

    The last class is the background class. `lite` has C = 16.
    """

    def __init__(self, config: ClipConfig = ClipConfig(), classes: int = NUM_CLASSES) -> None:
        super().__init__()
        embedded = BODY_JOINTS * config.per_joint
        # One small network per joint (groups), which can gate it by its score.
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
        self.classify = nn.Linear(2 * config.width, classes)

    def normalised_joints(self, action_features: Tensor, crop_boxes: Tensor) -> NormalisedJoints:
        """The body's joints of the features (B, T, 48) in boxes (B, T, 4)."""
        flat = action_features[..., 2 * FIRST_JOINT : 2 * NUM_JOINTS]
        keypoints = torch.stack((flat[..., 0::2], flat[..., 1::2]), dim=-1)  # (B, T, 13, 2)
        scores = action_features[..., 2 * NUM_JOINTS + FIRST_JOINT :]  # (B, T, 13)
        in_window, in_frame = normalise(to_picture(keypoints, crop_boxes), scores)
        return NormalisedJoints(in_window, in_frame, scores)

    def channels_of(self, joints: NormalisedJoints) -> Tensor:
        """The network's input channels (B, 13 x 12, T), those of one joint side by side."""
        in_frame, scores = joints.in_frame, joints.scores
        parents = [(in_frame[:, :, own], scores[:, :, own]) for own in PARENTS]
        channels = (
            joints.in_window,
            in_frame,
            difference(in_frame),
            in_frame - in_frame.mean(1, keepdim=True),
            scores[..., None] * 2.0 - 1.0,
            in_frame - (parents[0][0] + parents[1][0]) * 0.5,
            (parents[0][1] + parents[1][1])[..., None] - 1.0,
        )
        return torch.cat(channels, dim=-1).flatten(2).transpose(1, 2)

    def logits_of(self, joints: NormalisedJoints) -> Tensor:
        """Logits (B, C) of the actions and the background class."""
        x = self.blocks(self.mix(self.embed(self.channels_of(joints))))
        pooled = torch.cat((x.mean(-1), x.amax(-1)), dim=1)
        logits: Tensor = self.classify(self.dropout(pooled))
        return logits

    def forward(self, action_features: Tensor, crop_boxes: Tensor) -> Tensor:
        return self.logits_of(self.normalised_joints(action_features, crop_boxes))


class ServedClip(nn.Module):
    """The clip network as Triton serves it: `action_features`, `crop_boxes` to `action_scores` (B, C - 1).

    A flip test is built in: the mean of the scores of the window and of its mirror image. It can be left out, for
    actions that differ in left and right. The scores sum to 1 minus the score of the background class.
    """

    def __init__(self, network: ClipNetwork, background_bias: float = BACKGROUND_BIAS, flip: bool = True) -> None:
        super().__init__()
        self.network, self.background_bias, self.flip = network, background_bias, flip

    def forward(self, action_features: Tensor, crop_boxes: Tensor) -> Tensor:
        joints = self.network.normalised_joints(action_features, crop_boxes)
        views = [joints, mirrored(joints)] if self.flip else [joints]
        stacked = NormalisedJoints(*(torch.stack(view).flatten(0, 1) for view in zip(*views, strict=True)))
        logits = self.network.logits_of(stacked)
        logits = torch.cat((logits[:, :-1], logits[:, -1:] + self.background_bias), dim=1)
        scores = logits.softmax(-1).unflatten(0, (len(views), -1)).mean(0)
        return scores[:, :-1]
