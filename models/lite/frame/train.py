"""Trains the frame network of `lite`. Resumes from its checkpoint; one JSON line a pass in `frame_log.jsonl`.

python -m models.lite.frame.train --data ../shared/data --out build/lite
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.deephar.pixels import to_network_range
from models.lite.frame import clean_labels
from models.lite.frame import data as pose_data
from models.lite.frame.network import FrameNetwork, Prediction, likeliest_position
from models.lite.frame.plain_crops import predict
from models.lite.layout import ANKLES, WRISTS
from models.lite.platt import sigmoid
from models.lite.training import Training, best_device, command_line, cosine

BATCH = 32
NEGATIVES_PER_BATCH = 2
WEIGHT_DECAY = 0.02


@dataclass(frozen=True)
class Round:
    """Passes over the data with one learning rate schedule; `schedule` is (side of the crops in pixels, passes)."""

    name: str
    schedule: tuple[tuple[int, int], ...]
    learning_rate: float


# Low resolution first: a pass at 64 px costs a quarter of one at 128, and the network learns most of it there. The
# second round trains on labels that the network of the first round has cleaned.
ROUNDS = (
    Round("teacher", ((64, 8), (96, 7), (128, 6)), 2e-3),
    Round("frame", ((128, 12), (160, 5)), 1.5e-3),
)

Array = NDArray[Any]
# People, and pictures without people.
Sources = tuple[list[pose_data.TrainingSet], list[Array]]


class AugmentedBatches(torch.utils.data.IterableDataset):
    """One pass over the training people in random order, in whole batches."""

    def __init__(self, size: int, epoch: int, seed: int, sources: Sources) -> None:
        self.size, self.epoch, self.seed = size, epoch, seed
        self.sets, self.empty = sources

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.seed, self.epoch])
        augmentation = pose_data.Augmentation(self.size, rng, self.empty)
        entries = [(some, i) for some in self.sets for i in range(len(some.people.images)) for _ in range(some.times)]
        rng.shuffle(entries)
        per_batch = BATCH - NEGATIVES_PER_BATCH
        for start in range(0, len(entries) - per_batch + 1, per_batch):
            samples = []
            for some, i in entries[start : start + per_batch]:
                people = some.people
                samples.append(augmentation.person(people.images[i], people.joints[i], people.valid[i]))
            samples += [
                augmentation.empty(self.empty[rng.integers(len(self.empty))]) for _ in range(NEGATIVES_PER_BATCH)
            ]
            yield {
                "image": torch.from_numpy(np.stack([s.image for s in samples])),
                "joints": torch.from_numpy(np.stack([s.joints for s in samples])),
                "valid": torch.from_numpy(np.stack([s.valid for s in samples])),
                "torso": torch.tensor([s.torso for s in samples], dtype=torch.float32),
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


def loss_of(prediction: Prediction, batch: dict[str, Tensor]) -> Tensor:
    """Divergence of the heat maps, L1 of the keypoints, and cross-entropy of the scores with the hits."""
    valid = batch["valid"].float()
    joints, torso = batch["joints"], batch["torso"]
    cells = prediction.heatmaps.shape[-1]
    target = gaussian_maps(joints, cells, sigma=max(1.0, cells / 24))
    count = valid.sum().clamp(min=1)
    maps = (jensen_shannon(prediction.heatmaps, target) * valid).sum() / count
    distance = (prediction.keypoints - joints).abs().sum(-1)
    position = (distance * valid).sum() / count
    served = likeliest_position(prediction.heatmaps.detach())
    hit = ((served - joints).norm(dim=-1) < pose_data.HIT_TORSO * torso[:, None]).float() * valid
    score = nn.functional.binary_cross_entropy_with_logits(prediction.score_logits, hit)
    return maps + 2.0 * position + 0.1 * score


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


def train(data: Path, out: Path, seed: int, rounds: tuple[Round, ...] = ROUNDS) -> None:
    """All rounds, each from the weights of the one before; a finished round is not repeated."""
    torch.manual_seed(seed)
    device = best_device()
    sets, empty = pose_data.load_training(data), pose_data.load_without_people(data)
    held_out = pose_data.load_held_out(data)
    earlier: FrameNetwork | None = None
    passes_before = 0
    for round_ in rounds:
        network = FrameNetwork().to(device, memory_format=torch.channels_last)
        if earlier is not None:
            network.load_state_dict(earlier.state_dict())
            size = round_.schedule[0][0]
            sets = [replace(some, people=clean_labels.clean(earlier, some.people, size)) for some in sets]
        earlier = train_round(network, round_, (sets, empty), held_out, out, seed, passes_before)
        passes_before += sum(passes for _, passes in round_.schedule)


def train_round(
    network: FrameNetwork,
    round_: Round,
    sources: Sources,
    held_out: pose_data.People,
    out: Path,
    seed: int,
    passes_before: int,
) -> FrameNetwork:
    """The network with averaged weights at the end of the round. Resumes from the round's checkpoint."""
    training = Training(network, out, round_.name, "frame", WEIGHT_DECAY)
    shown = sum(len(some.people.images) * some.times for some in sources[0])
    steps_per_pass = shown // (BATCH - NEGATIVES_PER_BATCH)
    sizes = [size for size, passes in round_.schedule for _ in range(passes)]
    for epoch in range(training.passes, len(sizes)):
        size, running = sizes[epoch], 0.0
        batches = AugmentedBatches(size, passes_before + epoch, seed, sources)
        loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8)
        network.train()
        for step, batch in enumerate(loader, start=epoch * steps_per_pass):
            batch = {name: value.to(training.device) for name, value in batch.items()}
            with training.autocast():
                predictions = [in_fp32(prediction) for prediction in network(to_network_range(batch["image"]))]
            loss = sum((loss_of(p, batch) for p in predictions), torch.zeros((), device=training.device))
            training.step(loss, step, cosine(step, steps_per_pass * len(sizes), round_.learning_rate))
            running += float(loss.detach())
        figures = evaluate(training.average, held_out, size)
        training.finish_pass(round=round_.name, size=size, loss=running / steps_per_pass, **figures)
    return training.average


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    train(arguments.data, arguments.out, arguments.seed)


if __name__ == "__main__":
    main()
