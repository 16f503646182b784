"""The person detector of `lite`: a whole picture to the boxes of the people in it.

Anchor-free after CenterNet (Zhou et al., 2019): peaks of a heat map of centres at stride 4, and in each cell the
distances to the sides of the box. Trunk and centres start as MoveNet's, which looks for people's centres too.
"""

from __future__ import annotations

import math
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite import platt
from models.lite.movenet.network import MoveNet, Trunk, head

PERSON_SIZE = 288  # pixels; a multiple of 32
MAX_DETECTIONS = 100
SCORE_THRESHOLD = 0.1  # the look at the joints leaves out half of what is nobody above it, and one person in nine
NMS_IOU = 0.5
LOWEST_SCORE = 0.01  # detections below it are all zeros: the order of scores near 0 differs between runtimes

AGREEMENT, AGREEMENT_POWER = 5, 2  # side in cells of the window of `agreed`; power of the scores that weigh there
REFERENCE = 8.0  # cells; distances are learnt as logarithms of multiples of it
# Added to each distance, so that people narrower than a cell, whose centre is beside the cell's, have a logarithm.
HALF_CELL = 0.5
LARGEST_SIDE = 128.0  # cells
UNCALIBRATED = (1.0, 0.0)  # scale and bias


class Maps(NamedTuple):
    """The network's output: one cell for each 4 x 4 pixels."""

    heat_logits: Tensor  # (B, G, G)
    log_sides: Tensor  # (B, 4, G, G), left, top, right, bottom

    @staticmethod
    def logs_of(sides: Tensor) -> Tensor:
        """The inverse of `sides`."""
        return torch.log((sides + HALF_CELL).clamp(min=1e-2) / REFERENCE)

    def sides(self) -> Tensor:
        """Distances (B, 4, G, G) in cells from the cell's centre to the sides of the box."""
        return torch.exp(self.log_sides.clamp(max=math.log(LARGEST_SIDE / REFERENCE))) * REFERENCE - HALF_CELL


class PersonNetwork(nn.Module):
    """Pictures (B, 3, S, S) in -1..1, S a multiple of 32, to `Maps`."""

    def __init__(self) -> None:
        super().__init__()
        self.trunk = Trunk()
        self.to_heat, self.to_sides = head(1), head(4)
        # Scale and bias of the served score's Platt scaling, fitted after training.
        self.calibration: Tensor
        self.register_buffer("calibration", torch.tensor(UNCALIBRATED))
        # Boxes are so much wider than their cells say; fitted after training. Distances are learnt as logarithms: where
        # they are unsure, as left and right of a person are, they come out too short.
        self.width_scale: Tensor
        self.register_buffer("width_scale", torch.ones(()))

    def forward(self, x: Tensor) -> Maps:
        features = self.trunk(x)
        return Maps(self.to_heat(features)[:, 0], self.to_sides(features))

    def start_from(self, published: MoveNet) -> None:
        """Takes the weights of MoveNet lightning."""
        self.trunk.load_state_dict(published.trunk.state_dict())
        self.to_heat.load_state_dict(published.heads["center"].state_dict())


def corners_of(sides: Tensor) -> Tensor:
    """Distances (B, 4, G, G) in cells to corners (B, 4, G, G): least x and y, largest x and y in 0..1 of the square."""
    cells = sides.shape[-1]
    centres = torch.arange(cells, device=sides.device, dtype=torch.float32) + 0.5
    left, top, right, bottom = sides.unbind(1)  # (B, G, G) each
    x0, x1 = centres - left, centres + right
    y0, y1 = centres[:, None] - top, centres[:, None] + bottom
    return torch.stack((x0, y0, x1, y1), dim=1).clamp(0, cells) / cells


def agreed(corners: Tensor, heat_logits: Tensor) -> Tensor:
    """The mean of what the cells around each cell say (B, 4, G, G), by how sure they are: a person's cells agree."""
    weight = torch.sigmoid(heat_logits)[:, None] ** AGREEMENT_POWER
    around = partial(nn.functional.avg_pool2d, kernel_size=AGREEMENT, stride=1, padding=AGREEMENT // 2)
    return around(corners * weight) / around(weight).clamp(min=1e-6)


def detect(maps: Maps, calibration: Tensor, width_scale: Tensor, count: int = MAX_DETECTIONS) -> tuple[Tensor, Tensor]:
    """Boxes at the peaks of the heat map, by descending score.

    Args:
        maps: Of B pictures.
        calibration: (2,), scale and bias of the scores' Platt scaling.
        width_scale: Factor of the boxes' width.
        count: N, the number of boxes of each picture. Where there are fewer peaks, the rest is zeros.

    Returns:
        Boxes (B, N, 4) as x, y, width, height in 0..1 of the square picture, and scores (B, N).
    """
    logits = maps.heat_logits
    peak = nn.functional.max_pool2d(logits[:, None], 3, stride=1, padding=1)[:, 0]
    scores = torch.sigmoid(platt.scaled(logits, calibration[0], calibration[1]))
    scores = torch.where(logits >= peak, scores, torch.zeros_like(scores)).flatten(1)
    best, where = torch.topk(scores, count, dim=1)
    corners = agreed(corners_of(maps.sides()), logits).flatten(2).gather(2, where[:, None].expand(-1, 4, -1))
    low, high = corners.transpose(1, 2).chunk(2, dim=-1)  # (B, N, 2) each
    wider = (high - low) * (width_scale - 1) / 2 * low.new_tensor([1.0, 0.0])
    low, high = (low - wider).clamp(min=0), (high + wider).clamp(max=1)
    counts = (best >= LOWEST_SCORE).float()
    return torch.cat((low, high - low), dim=-1) * counts[..., None], best * counts


class ServedPerson(nn.Module):
    """The detector as Triton serves it: pixels in, boxes and scores out, before NMS."""

    def __init__(self, network: PersonNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Letterboxed pictures (B, S, S, 3), uint8, to boxes (B, N, 4) in 0..1 of the square and scores (B, N)."""
        return detect(self.network(to_network_range(image)), self.network.calibration, self.network.width_scale)
