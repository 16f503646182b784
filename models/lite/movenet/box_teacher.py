"""MoveNet multipose's boxes of the people in pictures whose own boxes are missing or incomplete, kept in a file.

    python -m models.lite.movenet.box_teacher --data ../shared/data --out build/lite

The pictures are those of tier 1 of the boxed ones, where bystanders may lack a box, and the everyday ones, which have
none that are known to be right.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite.frame.data import BOX_PARTS, decode
from models.lite.movenet.network import MoveNet
from models.lite.movenet.published import multipose
from models.lite.movenet.taught import BOXES_FILE, save_boxes
from models.lite.training import best_device, command_line
from service.vision.boxes import nms
from service.vision.crops import letterbox

SIZE, STRIDE = 320, 4  # pixels; on the boxed pictures of tier 0 AP50 is 0.70 and AP75 0.49 with this size
COUNT, LOWEST, NMS_IOU = 60, 0.1, 0.5

Floats = NDArray[np.float32]


class Boxes(nn.Module):
    """Pictures (B, S, S, 3), uint8, to boxes (B, 60, 4) as x, y, width, height in pixels, and scores (B, 60)."""

    def __init__(self, network: MoveNet) -> None:
        super().__init__()
        self.network = network

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        found = self.network(to_network_range(pictures))
        heat = torch.sigmoid(found["center"])
        peak = nn.functional.max_pool2d(heat, 3, stride=1, padding=1)
        scores, cells = torch.where(heat >= peak, heat, torch.zeros_like(heat)).flatten(1).topk(COUNT)
        width = heat.shape[-1]
        corner = torch.stack((cells // width, cells % width), dim=-1)  # (B, 60, 2): row, column
        sides, offset = (_at(found[name], cells) for name in ("box_scale", "box_offset"))
        sides = sides.clamp(min=0)
        low = corner + offset - sides / 2
        return torch.cat((low.flip(-1), sides.flip(-1)), dim=-1) * STRIDE, scores


def _at(maps: Tensor, cells: Tensor) -> Tensor:
    """Of maps (B, 2, H, W) the values (B, N, 2) in cells (B, N)."""
    return maps.flatten(2).gather(2, cells[:, None].expand(-1, 2, -1)).transpose(1, 2)


def pictures_of(data: Path) -> Iterator[NDArray[np.uint8]]:
    """Those of tier 1 to train on, then the everyday ones, in the order of the files."""
    for part in range(BOX_PARTS):
        held = dict(np.load(data / f"people_boxes_{part}.npz"))
        for i in np.flatnonzero((held["tier"] == 1) & (held["split"] == 0)):
            yield decode(held["jpeg"], held["offsets"], int(i))
    held = dict(np.load(data / "people_everyday.npz"))
    for number in range(len(held["offsets"]) - 1):
        yield decode(held["jpeg"], held["offsets"], number)


@torch.inference_mode()
def look(network: MoveNet, images: Iterable[NDArray[np.uint8]]) -> tuple[list[Floats], list[Floats]]:
    """Of each picture the boxes (n, 4) in pixels and their scores (n,)."""
    device = best_device()
    decoded = Boxes(network).to(device, memory_format=torch.channels_last).eval()
    boxes, scores = [], []
    for image in images:
        found, sure = (o[0].cpu().numpy() for o in decoded(torch.from_numpy(letterbox(image, SIZE)[None]).to(device)))
        scale = max(image.shape[:2]) / SIZE
        low = np.maximum(found[:, :2] * scale, 0)
        high = np.minimum((found[:, :2] + found[:, 2:]) * scale, image.shape[1::-1])
        chosen = (sure >= LOWEST) & (high - low >= 1).all(1)
        rows = np.concatenate([low, high - low], axis=1)[chosen].astype(np.float32)
        kept = nms(rows, sure[chosen], NMS_IOU)
        boxes.append(rows[kept])
        scores.append(sure[chosen][kept])
    return boxes, scores


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    out: Path = arguments.out
    if (out / BOXES_FILE).exists():
        return
    boxes, scores = look(multipose(out), pictures_of(arguments.data))
    save_boxes(boxes, scores, out)
    print(f"{sum(map(len, boxes))} boxes in {len(boxes)} pictures", flush=True)


if __name__ == "__main__":
    main()
