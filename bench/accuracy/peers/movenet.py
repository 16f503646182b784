"""MoveNet lightning and thunder with their own decoding, and multipose's boxes.

    python -m bench.accuracy.peers.movenet --data ../shared/data --out build/peers

Runs in the models' environment. The crop's side is 1.15 of the body's box: of 1.0, 1.15 and 1.3 the best for both.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bench.accuracy import command_line
from bench.accuracy.peers.people import OUT, SETS, Boxed, Joints, save
from models.lite.movenet import box_teacher
from models.lite.movenet.decoding import Decoded
from models.lite.movenet.published import lightning, multipose, thunder
from models.lite.movenet.taught import save_boxes
from models.lite.person.data import load_validation

NETWORKS = {"lightning": (lightning, 192), "thunder": (thunder, 256)}
MARGIN = 1.15
BATCH, STRIDE = 8, 4


@torch.inference_mode()
def look(network: Decoded, size: int, people: list[Boxed]) -> Joints:
    joints, scores = [], []
    for start in range(0, len(people), BATCH):
        crops, ways_back = zip(*(person.crop(size, MARGIN) for person in people[start : start + BATCH]), strict=True)
        in_cells, seen, _ = network(torch.from_numpy(np.stack(crops)))
        for points, back in zip(in_cells.numpy() * STRIDE, ways_back, strict=True):
            joints.append(points @ back[:, :2].T + back[:, 2])
        scores.append(seen.numpy())
    return Joints(np.stack(joints).astype(np.float32), np.concatenate(scores))


def main() -> None:
    arguments = command_line.parse(__doc__, out=OUT)
    out: Path = arguments.out
    out.mkdir(parents=True, exist_ok=True)
    sets = {name: people(arguments.data) for name, people in SETS.items()}
    for peer, (published, size) in NETWORKS.items():
        network = Decoded(published(out)).eval()
        for name, people in sets.items():
            save(look(network, size, people), out, peer, name)
    boxes, scores = box_teacher.look(multipose(out), load_validation(arguments.data).images)
    save_boxes(boxes, scores, out)


if __name__ == "__main__":
    main()
