"""The person detector of `lite`: a whole picture to the boxes of the people in it.

Anchor-free after CenterNet (Zhou et al., 2019): peaks of a heat map of centres at stride 8, and in each cell the
distances to the sides of the box. Its trunk is the first pyramid of the frame network and is initialised with that
network's weights.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite import platt
from models.lite.frame.network import FrameConfig, Residual, Up, conv_bn_relu

PERSON_SIZE = 256  # pixels; a multiple of 64
MAX_DETECTIONS = 100
SCORE_THRESHOLD = 0.4  # on held-out training pictures 79 % of such boxes are right; F1 is flat from here to 0.5
NMS_IOU = 0.5
LOWEST_SCORE = 0.01  # detections below it are all zeros: the order of scores near 0 differs between runtimes

REFERENCE = 4.0  # cells; distances are learnt as logarithms of multiples of it
# Added to each distance, so that people narrower than a cell, whose centre is beside the cell's, have a logarithm.
HALF_CELL = 0.5
PER_PYRAMID = ("down16", "down32", "up16", "mix16", "up8")  # modules that the frame network has once a pyramid
UNCALIBRATED = (1.0, 0.0)  # scale and bias
PRIOR = 0.02  # score of every cell of an untrained network


class Maps(NamedTuple):
    """The network's output: one cell for each 8 x 8 pixels."""

    heat_logits: Tensor  # (B, G, G)
    log_sides: Tensor  # (B, 4, G, G), left, top, right, bottom

    @staticmethod
    def logs_of(sides: Tensor) -> Tensor:
        """The inverse of `sides`."""
        return torch.log((sides + HALF_CELL).clamp(min=1e-2) / REFERENCE)

    def sides(self) -> Tensor:
        """Distances (B, 4, G, G) in cells from the cell's centre to the sides of the box."""
        return torch.exp(self.log_sides.clamp(max=math.log(64 / REFERENCE))) * REFERENCE - HALF_CELL


class Context(nn.Module):
    """A level at stride 64 with few channels, for people as large as the picture."""

    def __init__(self, channels: int, narrow: int = 64) -> None:
        super().__init__()
        self.down = nn.Sequential(conv_bn_relu(channels, narrow, 2), conv_bn_relu(narrow, narrow))
        self.up = Up(narrow, channels)

    def forward(self, x32: Tensor) -> Tensor:
        fused: Tensor = self.up(self.down(x32), x32)
        return fused


class PersonNetwork(nn.Module):
    """Pictures (B, 3, S, S) in -1..1, S a multiple of 64, to `Maps`."""

    def __init__(self, config: FrameConfig = FrameConfig(), head_channels: int = 64) -> None:
        super().__init__()
        c2, c4, c8, c16, c32 = config.channels
        self.stem = nn.Sequential(conv_bn_relu(3, c2, 2), conv_bn_relu(c2, c4, 2), Residual(c4))
        self.entry8 = nn.Sequential(conv_bn_relu(c4, c8, 2), Residual(c8))
        self.down16 = nn.Sequential(conv_bn_relu(c8, c16, 2), Residual(c16))
        self.down32 = nn.Sequential(conv_bn_relu(c16, c32, 2), Residual(c32), Residual(c32))
        self.context = Context(c32)
        self.up16, self.mix16 = Up(c32, c16), Residual(c16)
        self.up8 = Up(c16, c8)
        self.neck = conv_bn_relu(c8, head_channels)
        self.to_heat = nn.Sequential(conv_bn_relu(head_channels, head_channels), nn.Conv2d(head_channels, 1, 1))
        self.to_sides = nn.Sequential(conv_bn_relu(head_channels, head_channels), nn.Conv2d(head_channels, 4, 1))
        nn.init.constant_(self.to_heat[1].bias, math.log(PRIOR / (1 - PRIOR)))
        # Scale and bias of the served score's Platt scaling, fitted after training.
        self.calibration: Tensor
        self.register_buffer("calibration", torch.tensor(UNCALIBRATED))

    def forward(self, x: Tensor) -> Maps:
        x8 = self.entry8(self.stem(x))
        x16 = self.down16(x8)
        x32 = self.context(self.down32(x16))
        x16 = self.mix16(self.up16(x32, x16))
        features = self.neck(self.up8(x16, x8))
        return Maps(self.to_heat(features)[:, 0], self.to_sides(features))


def from_frame_network(network: PersonNetwork, frame_state: dict[str, Tensor]) -> int:
    """Copies the frame network's first pyramid, where names and shapes agree. Returns the number of tensors copied."""
    ours, taken = network.state_dict(), {}
    for name, value in frame_state.items():
        first, _, rest = name.partition(".")
        if first in PER_PYRAMID:
            pyramid, _, rest = rest.partition(".")
            name = f"{first}.{rest}" if pyramid == "0" else ""
        if name in ours and ours[name].shape == value.shape:
            taken[name] = value
    network.load_state_dict(taken, strict=False)
    return len(taken)


def boxes_of(sides: Tensor) -> Tensor:
    """Distances (B, 4, G, G) in cells to boxes (B, G * G, 4): x, y, width, height in 0..1 of the square."""
    cells = sides.shape[-1]
    centres = torch.arange(cells, device=sides.device, dtype=torch.float32) + 0.5
    left, top, right, bottom = sides.unbind(1)  # (B, G, G) each
    x0, x1 = (centres - left).clamp(0, cells), (centres + right).clamp(0, cells)
    y0, y1 = (centres[:, None] - top).clamp(0, cells), (centres[:, None] + bottom).clamp(0, cells)
    return torch.stack((x0, y0, x1 - x0, y1 - y0), dim=-1).flatten(1, 2) / cells


def detect(maps: Maps, calibration: Tensor, count: int = MAX_DETECTIONS) -> tuple[Tensor, Tensor]:
    """Boxes at the peaks of the heat map, by descending score.

    Args:
        maps: Of B pictures.
        calibration: (2,), scale and bias of the scores' Platt scaling.
        count: N, the number of boxes of each picture. Where there are fewer peaks, the rest is zeros.

    Returns:
        Boxes (B, N, 4) as x, y, width, height in 0..1 of the square picture, and scores (B, N).
    """
    logits = maps.heat_logits
    peak = nn.functional.max_pool2d(logits[:, None], 3, stride=1, padding=1)[:, 0]
    scores = torch.sigmoid(platt.scaled(logits, calibration[0], calibration[1]))
    scores = torch.where(logits >= peak, scores, torch.zeros_like(scores)).flatten(1)
    best, where = torch.topk(scores, count, dim=1)
    boxes = torch.gather(boxes_of(maps.sides()), 1, where[..., None].expand(-1, -1, 4))
    counts = (best >= LOWEST_SCORE).float()
    return boxes * counts[..., None], best * counts


class ServedPerson(nn.Module):
    """The detector as Triton serves it: pixels in, boxes and scores out, before NMS."""

    def __init__(self, network: PersonNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor]:
        """Letterboxed pictures (B, S, S, 3), uint8, to boxes (B, N, 4) in 0..1 of the square and scores (B, N)."""
        return detect(self.network(to_network_range(image)), self.network.calibration)
