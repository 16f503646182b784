"""Trains the lift of `lite` on CMU motion capture through random cameras. Resumes from its checkpoint.

    python -m models.lite.lift.train --data ../shared/data --out build/lite

Needs the frame network's error bank (models.lite.frame.error_bank). One JSON line a round in `lift_log.jsonl`. The
error in the log is of training poses: the held-out sequences are for `evaluate` and choose nothing here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.lite.frame import error_bank
from models.lite.lift import data as lift_data
from models.lite.lift.network import LiftNetwork, in_mm, normalise
from models.lite.lift.views import TrainingViews
from models.lite.training import Training, best_device, command_line, cosine

BATCH = 128
BATCHES_AT_ONCE = 4  # are drawn: cheaper than one by one
STEPS_PER_ROUND = 1000
ROUNDS = 40
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.01


def batches(views: TrainingViews, rng: np.random.Generator, batch: int) -> Iterator[list[Tensor]]:
    """Endless: keypoints (B, 16, 2), scores (B, 16), positions in mm (B, 16, 3)."""
    while True:
        drawn = [torch.from_numpy(array) for array in views.draw(rng, batch * BATCHES_AT_ONCE)]
        for start in range(0, batch * BATCHES_AT_ONCE, batch):
            yield [array[start : start + batch] for array in drawn]


def train(data: Path, out: Path, seed: int, rounds: int, batch: int = BATCH, steps: int = STEPS_PER_ROUND) -> None:
    torch.manual_seed(seed)
    network = LiftNetwork().to(best_device())
    training = Training(network, out, "lift", "lift", WEIGHT_DECAY)
    bodies = lift_data.load_bodies(data, held_out=False)
    weights = lift_data.diverse_weights(bodies.joints_mm)
    views = TrainingViews(bodies.joints_mm, weights, error_bank.load(out / error_bank.BANK))

    for round_ in range(training.passes, rounds):
        # Seeded for each round, so that a resumed training draws the same views.
        torch.manual_seed(seed + round_)
        source = batches(views, np.random.default_rng([seed, round_]), batch)
        running = 0.0
        network.train()
        for step in range(round_ * steps, (round_ + 1) * steps):
            keypoints, scores, truth = (array.to(training.device) for array in next(source))
            with training.autocast():
                positions = network(normalise(keypoints, scores), scores)
            error_mm = (in_mm(positions.float()) - truth)[:, 1:].norm(dim=-1).mean()
            training.step(error_mm / lift_data.STATURE_MM, step, cosine(step, rounds * steps, LEARNING_RATE))
            running += float(error_mm.detach())
        training.finish_pass(loss=running / steps / lift_data.STATURE_MM, train_error_mm=running / steps)


def main() -> None:
    parser = command_line(__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    train(arguments.data, arguments.out, arguments.seed, arguments.rounds)


if __name__ == "__main__":
    main()
