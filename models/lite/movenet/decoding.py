"""MoveNet's own decoding: of several people in a crop, the joints of the one in the middle."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite.movenet.network import MoveNet
from models.lite.movenet.taught import LIMBS_OF_COCO

NEAR_CELLS = 1.8  # what lies farther from where it is expected weighs less, by 1 / (distance + this)


class Decoded(nn.Module):
    """Crops (B, S, S, 3), uint8, to joints (B, 12, 2) in cells, scores (B, 12) and beliefs (B, 12, S/4, S/4)."""

    def __init__(self, network: MoveNet) -> None:
        super().__init__()
        self.network = network
        # Not all of the heads' outputs: those of the limbs, x and y in turn.
        self.register_buffer("limbs", torch.tensor(LIMBS_OF_COCO), persistent=False)

    def forward(self, crops: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        limbs: Tensor = self.limbs
        found = self.network(to_network_range(crops))
        side = found["center"].shape[-1]
        cells = torch.arange(side, dtype=torch.float32, device=crops.device)
        from_middle = ((cells - side // 2) ** 2 + (cells[:, None] - side // 2) ** 2).sqrt() + NEAR_CELLS
        centre = (torch.sigmoid(found["center"][:, 0]) / from_middle).flatten(1).argmax(1)  # (B,)
        regressed = _at(found["kpt_regress"].unflatten(1, (-1, 2))[:, limbs], centre[:, None])  # (B, 12, 2): y, x
        expected_y = regressed[..., 0] + (centre // side)[:, None]
        expected_x = regressed[..., 1] + (centre % side)[:, None]
        far_y = (cells[:, None] - expected_y[..., None, None]) ** 2
        far_x = (cells - expected_x[..., None, None]) ** 2
        heat = torch.sigmoid(found["kpt_heatmap"][:, limbs])
        belief = heat * NEAR_CELLS / ((far_y + far_x).sqrt() + NEAR_CELLS)
        best = belief.flatten(2).argmax(2)  # (B, 12)
        scores = heat.flatten(2).gather(2, best[..., None])[..., 0]
        offset = _at(found["kpt_offset"].unflatten(1, (-1, 2))[:, limbs], best)
        joints = torch.stack((best % side + offset[..., 1], best // side + offset[..., 0]), dim=-1)
        return joints, scores, belief


def _at(maps: Tensor, cell: Tensor) -> Tensor:
    """Of maps (B, J, 2, H, W) the values (B, J, 2) in cells (B, J) or (B, 1)."""
    flat = maps.flatten(3)
    return flat.gather(3, cell[..., None, None].expand(*flat.shape[:3], 1))[..., 0]
