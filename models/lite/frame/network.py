"""The frame network of `lite`: a crop of a person to keypoints, after deephar, on MoveNet's trunk.

Taken from deephar's papers: soft-argmax regression of joints from heat maps (CVPR'18), intermediate supervision, with
the second stage reading the first one's joints (TPAMI'20), visual features pooled under each joint's map (CVPR'18,
appearance-based recognition). Here those features score the joints; actions come from the joints alone, because the
data with actions has no pictures.

Taken from MoveNet: the trunk, and the way to pick one person of several in a crop. The first stage finds the person's
centre and regresses each joint from it. The second stage weights each heat map by the distance from that joint.
MoveNet decodes by two argmaxes; here both are expectations, so that all of it is trained end to end.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite.frame.calibration import SEEN, Calibration
from models.lite.layout import NUM_JOINTS
from models.lite.movenet.network import FEATURES, HEAD_FEATURES, MoveNet, Trunk, head, separable
from models.lite.movenet.taught import LIMBS_OF_COCO

INPUT_SIZE = 192  # pixels, side of the crops as served
# Depth of the crop, z from 0 to 1: 2 m to both sides of the pelvis, more than a person of 1.7 m can reach.
DEPTH_SCALE_MM = 4000.0
WINDOW, SHARPNESS = 7, 6.0  # cells; exponent of the mass in a window
NEAR = 1.8 / 48  # of the crop's side; MoveNet's: belief halves at about this distance from where a joint should be
# Of each joint of pa16 those of COCO's whose middle it starts from; the head's top from the eyes.
FROM_COCO = ((11, 12), (5, 6), (5, 6), (1, 2), *((coco,) for coco in LIMBS_OF_COCO))


class Prediction(NamedTuple):
    """Both stages' output. Heat maps have a quarter of the input's side."""

    coarse: Tensor  # (B, K, 2), x, y in 0..1 of the crop: the first stage's keypoints
    heatmaps: Tensor  # (B, K, S/4, S/4), sums to 1 over each map
    keypoints: Tensor  # (B, K, 2), the second stage's
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
    x = expected(maps.sum(2), cell_centres(width, maps))
    y = expected(maps.sum(3), cell_centres(height, maps))
    return maps, torch.stack((x, y), dim=-1)


def expected(weights: Tensor, values: Tensor) -> Tensor:
    """The sum of products (..., N) along N, as a matrix product.

    OpenVINO 2026.4 fuses a plain sum of products with the additions after it, and is then wrong in all rows of a batch
    but the first.
    """
    return (weights[..., None, :] @ values[..., None])[..., 0, 0]


def likeliest_position(maps: Tensor) -> Tensor:
    """The position (B, K, 2), x and y in 0..1, around which heat maps (B, K, H, W) have most of their mass.

    The expectation over a map with two peaks lies between them, where no joint is; over the sharpened mass of windows
    it lies on one of them. For inference only: the other peak gets no gradient.
    """
    mass = nn.functional.avg_pool2d(maps, WINDOW, stride=1, padding=WINDOW // 2)
    _, keypoints = soft_argmax(SHARPNESS * torch.log(mass + 1e-9))
    return keypoints


def far(positions: Tensor, cells: int) -> Tensor:
    """How far each cell is from positions (B, K, 2) in 0..1: (B, K, cells, cells), 0 there, then as the logarithm."""
    centres = cell_centres(cells, positions)
    x = (centres - positions[..., :1]) ** 2  # (B, K, cells)
    y = (centres - positions[..., 1:]) ** 2
    return 0.5 * torch.log(1 + (x[:, :, None] + y[..., None]) / NEAR**2)


class FrameNetwork(nn.Module):
    """RGB crops (B, 3, S, S) in -1..1, S a multiple of 32, to a `Prediction`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        # First stage: where the person is, and from there the way to each joint, in MoveNet's cells of 1/48.
        self.centre = head(1)
        self.centre_logit, self.centre_far = nn.Parameter(torch.tensor(1.0)), nn.Parameter(torch.tensor(1.0))
        self.way_features, self.way = separable(FEATURES, HEAD_FEATURES), nn.Linear(HEAD_FEATURES, NUM_JOINTS * 2)
        # Second stage.
        self.map_features, self.to_maps = separable(FEATURES, HEAD_FEATURES), nn.Conv2d(HEAD_FEATURES, NUM_JOINTS, 1)
        self.map_logit, self.map_far = nn.Parameter(torch.ones(NUM_JOINTS)), nn.Parameter(torch.ones(NUM_JOINTS))
        self.score_weight = nn.Parameter(torch.zeros(NUM_JOINTS, HEAD_FEATURES))
        self.score_bias = nn.Parameter(torch.zeros(NUM_JOINTS))
        self.score_peak = nn.Parameter(torch.ones(NUM_JOINTS))
        self.score_logit = nn.Parameter(torch.zeros(NUM_JOINTS))
        self.score_agreement = nn.Parameter(torch.zeros(NUM_JOINTS))

    def forward(self, x: Tensor) -> Prediction:
        features = self.trunk(x)
        cells = features.shape[-1]
        coarse = self.coarse(features, cells)
        map_features = self.map_features(features)
        logits = self.to_maps(map_features)
        away = far(coarse, cells)
        maps, keypoints = soft_argmax(self.map_logit[:, None, None] * logits - self.map_far[:, None, None] * away)
        return Prediction(coarse, maps, keypoints, self.score(maps, map_features, logits, away))

    def coarse(self, features: Tensor, cells: int) -> Tensor:
        """The first stage's keypoints (B, K, 2): the way from the person's centre, expected over where that is."""
        middle = torch.full((1, 1, 2), 0.5, device=features.device)
        logits = self.centre_logit * torch.log(torch.sigmoid(self.centre(features)) + 1e-6)
        where, centre = soft_argmax(logits - self.centre_far * far(middle, cells))
        pooled = torch.einsum("bhw,bchw->bc", where[:, 0], self.way_features(features))
        way: Tensor = self.way(pooled).unflatten(1, (NUM_JOINTS, 2)) / 48
        return centre + way

    def score(self, maps: Tensor, features: Tensor, logits: Tensor, away: Tensor) -> Tensor:
        """Score logits (B, K). Detached: the loss of the scores must not move the maps."""
        attention, features, logits, away = maps.detach(), features.detach(), logits.detach(), away.detach()
        visual = torch.einsum("bkhw,bchw->bkc", attention, features)
        # The largest mass of a 2x2 window (TPAMI'20, confidence of a soft-argmax).
        peak = nn.functional.avg_pool2d(attention, 2, stride=1).flatten(2).amax(-1) * 4
        seen = expected(attention.flatten(2), logits.flatten(2))  # (B, K)
        astray = expected(attention.flatten(2), away.flatten(2))
        return (
            expected(visual, self.score_weight)
            + self.score_bias
            + self.score_peak * torch.log(peak + 1e-4)
            + self.score_logit * seen
            + self.score_agreement * astray
        )

    def start_from(self, published: MoveNet) -> None:
        """Takes MoveNet lightning's weights; joints that it does not know start as the middle of two that it does."""
        self.trunk.load_state_dict(published.trunk.state_dict())
        self.centre.load_state_dict(published.heads["center"].state_dict())
        heat, way = published.heads["kpt_heatmap"], published.heads["kpt_regress"]
        assert isinstance(heat, nn.Sequential)
        assert isinstance(way, nn.Sequential)
        self.map_features.load_state_dict(heat[0].state_dict())
        self.way_features.load_state_dict(way[0].state_dict())
        ways = {name: value.unflatten(0, (-1, 2)).flip(1) for name, value in way[1].state_dict().items()}  # y, x
        with torch.no_grad():
            for joint, known in enumerate(FROM_COCO):
                of_joint = slice(2 * joint, 2 * joint + 2)
                self.way.weight[of_joint] = ways["weight"][list(known)].mean(0).flatten(1)
                self.way.bias[of_joint] = ways["bias"][list(known)].mean(0)
                for mine, theirs in zip(self.to_maps.parameters(), heat[1].parameters(), strict=True):
                    mine[joint] = theirs[list(known)].mean(0)


class ServedFrame(nn.Module):
    """The frame network as Triton serves it: pixels in; keypoints lifted to 3D, calibrated scores, action features out.

    `lift` maps keypoints (B, K, 2) in 0..1 of the crop and scores (B, K) to millimetres from the pelvis (B, K, 3).
    """

    def __init__(self, network: FrameNetwork, lift: nn.Module, calibration: Calibration = Calibration()) -> None:
        super().__init__()
        self.network, self.lift, self.calibration = network, lift, calibration

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Crops (B, S, S, 3), uint8, to keypoints (B, K, 3) in 0..1, scores (B, K) and action features (B, 3 K)."""
        found = self.network(to_network_range(image))
        scores = self.calibration.scores(found.score_logits, torch.sigmoid, lambda logits: logits.topk(SEEN).values)
        keypoints = likeliest_position(found.heatmaps)
        z = (self.lift(keypoints, scores)[..., 2:] / DEPTH_SCALE_MM + 0.5).clamp(0, 1)
        return torch.cat((keypoints, z), dim=-1), scores, torch.cat((keypoints.flatten(1), scores), dim=1)
