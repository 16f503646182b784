"""Trains the clip network of `lite` on Penn Action's official train split. Resumes from its checkpoint.

    python -m models.lite.clip.train --data ../shared/data --out build/lite

Needs the frame network's error bank (models.lite.frame.error_bank). One JSON line a round in `clip_log.jsonl`. The
accuracy in the log is of training windows: the test clips are for `evaluate` and choose nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.lite.clip import data as clip_data
from models.lite.clip.batches import TrainingBatches
from models.lite.clip.negatives import Movement, load_movements
from models.lite.clip.network import ClipNetwork
from models.lite.frame import error_bank
from models.lite.training import Training, best_device, command_line

BATCH = 128
STEPS_PER_ROUND = 100
ROUNDS = 60
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
WARM_UP_STEPS = 200
FALL = 0.4  # share of the steps over which the learning rate falls
EMA_DECAY = 0.999
LABEL_SMOOTHING = 0.03

Batch = tuple[Tensor, Tensor, Tensor]  # features, boxes, labels
Sources = tuple[clip_data.Clips, list[Movement], error_bank.ErrorBank]


class RoundOfBatches(torch.utils.data.IterableDataset[Batch]):
    """The batches of one round, seeded so that a resumed training draws the same ones."""

    def __init__(self, sources: Sources, seed: int, round_: int, steps: int) -> None:
        self.sources, self.seed, self.round, self.steps = sources, seed, round_, steps

    def __iter__(self) -> Iterator[Batch]:
        batches = TrainingBatches(*self.sources, BATCH, np.random.default_rng([self.seed, self.round]))
        for _ in range(self.steps):
            features, boxes, labels = batches.draw()
            yield torch.from_numpy(features), torch.from_numpy(boxes), torch.from_numpy(labels)


def learning_rate(step: int, total: int, peak: float) -> float:
    """Constant, then falling: a training can be given more rounds as long as the fall has not begun."""
    rise, falling = (step + 1) / WARM_UP_STEPS, (total - step) / (FALL * total)
    return peak * min(1.0, rise, max(falling, 0.01))


def train(
    data: Path, out: Path, seed: int, rounds: int, peak: float = LEARNING_RATE, steps: int = STEPS_PER_ROUND
) -> None:
    torch.manual_seed(seed)
    network = ClipNetwork().to(best_device())
    training = Training(network, out, "clip", "clip", WEIGHT_DECAY, EMA_DECAY)
    sources = (
        clip_data.load_clips(data, train=True),
        load_movements(data, held_out=False),
        error_bank.load(out / error_bank.BANK),
    )
    for round_ in range(training.passes, rounds):
        torch.manual_seed(seed + round_)
        dataset = RoundOfBatches(sources, seed, round_, steps)
        loader = torch.utils.data.DataLoader(dataset, batch_size=None, num_workers=1, prefetch_factor=8)
        running, right = 0.0, 0
        network.train()
        for step, batch in enumerate(loader, start=round_ * steps):
            features, boxes, labels = (tensor.to(training.device) for tensor in batch)
            with training.autocast():
                logits: Tensor = network(features, boxes).float()
            loss = nn.functional.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
            training.step(loss, step, learning_rate(step, rounds * steps, peak))
            running += float(loss.detach())
            right += int((logits.argmax(1) == labels).sum())
        training.finish_pass(loss=running / steps, train_accuracy=right / (steps * BATCH))


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--learning-rate", type=float, default=LEARNING_RATE)
    arguments = parser.parse_args()
    train(arguments.data, arguments.out, arguments.seed, arguments.rounds, arguments.learning_rate)


if __name__ == "__main__":
    main()
