"""Trains the frame network of `lite`. Resumes from its checkpoint; one JSON line a pass in `frame_log.jsonl`.

python -m models.lite.frame.train --data ../shared/data --out build/lite
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite.frame import data as pose_data
from models.lite.frame import labels
from models.lite.frame.augmentation import Augmentation, Sample
from models.lite.frame.labels import TrainingSet
from models.lite.frame.network import INPUT_SIZE, FrameNetwork, Prediction, likeliest_position
from models.lite.frame.plain_crops import predict
from models.lite.layout import ANKLES, WRISTS
from models.lite.movenet.published import lightning
from models.lite.platt import sigmoid
from models.lite.training import Training, best_device, command_line, cosine

BATCH = 32
NEGATIVES_PER_BATCH = 1
WEIGHT_DECAY = 0.01
SCHEDULE = ((160, 4), (INPUT_SIZE, 8))  # side of the crops in pixels, passes
STEPS_PER_PASS = 400
LEARNING_RATE, TRUNK_SHARE = 2.5e-4, 0.3
CERTAIN = 0.5  # the teacher's belief in its best cell from which its map counts in full

# People, and pictures without people.
Sources = tuple[list[TrainingSet], list[NDArray[Any]]]


class AugmentedBatches(torch.utils.data.IterableDataset[dict[str, Tensor]]):
    """One pass: batches of people drawn at random, as often as their sets say, and of pictures without any."""

    def __init__(self, size: int, epoch: int, seed: int, sources: Sources, steps: int) -> None:
        self.size, self.epoch, self.seed, self.steps = size, epoch, seed, steps
        self.sets, self.empty = sources

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.seed, self.epoch])
        augmentation = Augmentation(self.size, rng, self.empty)
        entries = [(some, i) for some in self.sets for i in range(len(some.people.images)) for _ in range(some.times)]
        per_batch = BATCH - NEGATIVES_PER_BATCH
        chosen = rng.choice(len(entries), self.steps * per_batch, replace=self.steps * per_batch > len(entries))
        for start in range(0, len(chosen), per_batch):
            samples = [augmentation.person(*entries[k]) for k in chosen[start : start + per_batch]]
            samples += [
                augmentation.empty(self.empty[rng.integers(len(self.empty))]) for _ in range(NEGATIVES_PER_BATCH)
            ]
            yield {
                f.name: torch.from_numpy(np.stack([getattr(sample, f.name) for sample in samples]))
                for f in fields(Sample)
            }


def gaussian_maps(joints: Tensor, cells: int, sigma: float) -> Tensor:
    """Joints (B, K, 2) in 0..1 to maps (B, K, cells, cells) that sum to 1."""
    centres = (torch.arange(cells, device=joints.device) + 0.5) / cells
    gauss = torch.exp(-((joints[..., None] - centres) ** 2) / (2 * (sigma / cells) ** 2)) + 1e-9  # (B, K, 2, cells)
    gauss = gauss / gauss.sum(-1, keepdim=True)
    return gauss[:, :, 1, :, None] * gauss[:, :, 0, None, :]


def jensen_shannon(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence (B, K) of maps (B, K, H, W). It is bounded, so that a wrong label costs little."""
    m = torch.log((p + q) / 2 + 1e-12)
    kl = p * (torch.log(p + 1e-12) - m) + q * (torch.log(q + 1e-12) - m)
    return kl.flatten(2).sum(-1) / 2


def target_maps(batch: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The maps to learn (B, K, C, C), each with a sum of 1, and their weights (B, K).

    Of joints with a label a Gaussian; of the teacher's joints its own maps, which say where else a joint may be.
    """
    belief = batch["maps"].float() / 255
    mass = belief.flatten(2).sum(-1).clamp(min=1e-6)
    cells = belief.shape[-1]
    gaussian = gaussian_maps(batch["joints"], cells, sigma=max(1.0, cells / 24))
    by_teacher = batch["by_teacher"]
    maps = torch.where(by_teacher[..., None, None], belief / mass[..., None, None], gaussian)
    certain = (belief.flatten(2).amax(-1) / CERTAIN).clamp(max=1)
    return maps, torch.where(by_teacher, certain, batch["valid"].float())


def loss_of(prediction: Prediction, batch: dict[str, Tensor]) -> Tensor:
    """Divergence of the heat maps, L1 of both stages' keypoints, and cross-entropy of the scores with the hits."""
    valid = batch["valid"].float()
    joints, torso = batch["joints"], batch["torso"]
    target, weight = target_maps(batch)
    maps = (jensen_shannon(prediction.heatmaps, target) * weight).sum() / weight.sum().clamp(min=1)
    count = valid.sum().clamp(min=1)
    position = ((prediction.keypoints - joints).abs().sum(-1) * valid).sum() / count
    coarse = ((prediction.coarse - joints).abs().sum(-1) * valid).sum() / count
    served = likeliest_position(prediction.heatmaps.detach())
    hit = ((served - joints).norm(dim=-1) < pose_data.HIT_TORSO * torso[:, None]).float() * valid
    known = (~batch["unknown"]).float()
    score = nn.functional.binary_cross_entropy_with_logits(prediction.score_logits, hit, known)
    return maps + 2.0 * position + coarse + 0.1 * score


def evaluate(network: FrameNetwork, people: pose_data.People, size: int) -> dict[str, float]:
    """PCK@0.2 of LSP's 14 joints on plain crops, and the mean score."""
    keypoints, logits = predict(network, people, size)
    hits = pose_data.hits(people, keypoints)
    per_joint = hits.sum(0) / np.maximum(people.valid.sum(0), 1)
    measured = pose_data.LSP_TO_PA16
    return {
        "pck": float(per_joint[measured].mean()),
        "pck_wrist_ankle": float(per_joint[[*WRISTS, *ANKLES]].mean()),
        "mean_score": float(sigmoid(logits[:, measured]).mean()),
    }


def in_fp32(prediction: Prediction) -> Prediction:
    return Prediction(*(value.float() for value in prediction))


def train(
    data: Path, out: Path, seed: int, schedule: tuple[tuple[int, int], ...] = SCHEDULE, steps: int = STEPS_PER_PASS
) -> None:
    """From MoveNet lightning's weights. Resumes from its checkpoint."""
    torch.manual_seed(seed)
    network = FrameNetwork()
    network.start_from(lightning(out))
    network.trunk.freeze()
    network = network.to(best_device(), memory_format=torch.channels_last)
    sources = labels.load_training(data, out), pose_data.load_without_people(data)
    held_out = pose_data.load_held_out(data)
    training = Training(network, out, "frame", "frame", WEIGHT_DECAY, gentle=(network.trunk, TRUNK_SHARE))
    sizes = [size for size, passes in schedule for _ in range(passes)]
    for epoch in range(training.passes, len(sizes)):
        running = 0.0
        batches = AugmentedBatches(sizes[epoch], epoch, seed, sources, steps)
        loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8)
        network.train()
        for step, batch in enumerate(loader, start=epoch * steps):
            batch = {name: value.to(training.device) for name, value in batch.items()}
            with training.autocast():
                prediction = in_fp32(network(to_network_range(batch["image"])))
            loss = loss_of(prediction, batch)
            training.step(loss, step, cosine(step, steps * len(sizes), LEARNING_RATE))
            running += float(loss.detach())
        figures = evaluate(training.average, held_out, INPUT_SIZE)
        training.finish_pass(size=sizes[epoch], loss=running / steps, **figures)


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    train(arguments.data, arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
