"""Trains the clip network of `lite` on Penn Action's official train split. Resumes from its checkpoint.

    python -m models.lite.train_clip --data ../shared/data --out build/lite

One JSON line a round in `clip_log.jsonl`; weights to serve are `average` in `clip_checkpoint.pt`. The accuracy in the
log is of training clips: the test clips are for `evaluate_clip` and choose nothing here.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from models.lite import clip_data
from models.lite.clip_batches import TrainingBatches
from models.lite.clip_network import ClipNetwork

BATCH = 128
STEPS_PER_ROUND = 100
ROUNDS = 36
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.05
WARM_UP_STEPS = 200
EMA_DECAY = 0.998
LABEL_SMOOTHING = 0.1


def learning_rate(step: int, total: int) -> float:
    if step < WARM_UP_STEPS:
        return LEARNING_RATE * (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, total - WARM_UP_STEPS)
    return LEARNING_RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def update_average(average: nn.Module, network: nn.Module, step: int) -> None:
    decay = min(EMA_DECAY, (1 + step) / (10 + step))
    with torch.no_grad():
        for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
            if kept.is_floating_point():
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def make_optimizer(network: nn.Module) -> torch.optim.AdamW:
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=LEARNING_RATE)


def train(data: Path, out: Path, seed: int, rounds: int) -> None:
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = ClipNetwork().to(device)
    average = copy.deepcopy(network)
    optimizer = make_optimizer(network)
    clips = clip_data.load_clips(data, train=True)
    total = rounds * STEPS_PER_ROUND

    checkpoint, first = out / "clip_checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["rounds"]
    for round_ in range(first, rounds):
        # Seeded per round, so that a resumed run sees what an unbroken one would.
        torch.manual_seed(seed + round_)
        batches = TrainingBatches(clips, BATCH, np.random.default_rng([seed, round_]))
        began, running, right = time.time(), 0.0, 0
        network.train()
        for step in range(round_ * STEPS_PER_ROUND, (round_ + 1) * STEPS_PER_ROUND):
            features, boxes, labels = (torch.from_numpy(array).to(device) for array in batches.draw())
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total)
            logits: Tensor = network(features, boxes)
            loss = nn.functional.cross_entropy(logits, labels, label_smoothing=LABEL_SMOOTHING)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            update_average(average, network, step)
            running += float(loss.detach())
            right += int((logits.argmax(1) == labels).sum())
        line = {
            "round": round_ + 1,
            "loss": running / STEPS_PER_ROUND,
            "train_accuracy": right / (STEPS_PER_ROUND * BATCH),
            "seconds": round(time.time() - began),
        }
        temporary = checkpoint.with_suffix(".tmp")
        torch.save(
            {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "rounds": round_ + 1,
            },
            temporary,
        )
        temporary.replace(checkpoint)
        with (out / "clip_log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/lite"))
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    arguments = parser.parse_args()
    train(arguments.data, arguments.out, arguments.seed, arguments.rounds)


if __name__ == "__main__":
    main()
