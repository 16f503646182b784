"""Trains the frame network of `lite`. Resumes from its checkpoint; one JSON line a pass in `frame_log.jsonl`.

python -m models.lite.train_frame --data ../shared/data --out build/lite
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from models.lite import pose_data
from models.lite.network import FrameNetwork, Prediction

BATCH = 32
NEGATIVES_PER_BATCH = 2
LEARNING_RATE = 2e-3
WEIGHT_DECAY = 0.02
WARM_UP_STEPS = 300
EMA_DECAY = 0.998
HIT_TORSO = 0.2
# Coarse pictures first: a pass at 64 px costs a quarter of one at 128 and teaches most of what a body is.
SCHEDULE = [(64, 8), (96, 7), (128, 6)]


Array = NDArray[Any]
# People with the number of times that one pass shows them, and pictures without people.
Sources = tuple[list[tuple[pose_data.People, int]], list[Array]]


class AugmentedBatches(torch.utils.data.IterableDataset):
    """One pass over the training people in random order, in whole batches."""

    def __init__(self, size: int, epoch: int, seed: int, sources: Sources) -> None:
        self.size, self.epoch, self.seed = size, epoch, seed
        self.people, self.empty = sources

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        cv2.setNumThreads(0)
        rng = np.random.default_rng([self.seed, self.epoch])
        augmentation = pose_data.Augmentation(self.size, rng, self.empty)
        entries = [
            (s, i)
            for s, (people, times) in enumerate(self.people)
            for i in range(len(people.images))
            for _ in range(times)
        ]
        rng.shuffle(entries)
        per_batch = BATCH - NEGATIVES_PER_BATCH
        for start in range(0, len(entries) - per_batch + 1, per_batch):
            samples = []
            for source, index in entries[start : start + per_batch]:
                people = self.people[source][0]
                samples.append(augmentation.person(people.images[index], people.joints[index], people.valid[index]))
            samples += [
                augmentation.nobody(self.empty[rng.integers(len(self.empty))]) for _ in range(NEGATIVES_PER_BATCH)
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
    """Divergence of two sets of maps (B, K, H, W), per map (B, K). Bounded, so that a wrong label costs little."""
    m = torch.log((p + q) / 2 + 1e-12)
    kl = p * (torch.log(p + 1e-12) - m) + q * (torch.log(q + 1e-12) - m)
    return kl.flatten(2).sum(-1) / 2


def loss_of(prediction: Prediction, batch: dict[str, Tensor]) -> Tensor:
    valid = batch["valid"].float()
    joints, torso = batch["joints"], batch["torso"]
    cells = prediction.heatmaps.shape[-1]
    target = gaussian_maps(joints, cells, sigma=max(1.0, cells / 24))
    count = valid.sum().clamp(min=1)
    maps = (jensen_shannon(prediction.heatmaps, target) * valid).sum() / count
    distance = (prediction.keypoints - joints).abs().sum(-1)
    position = (distance * valid).sum() / count
    hit = ((prediction.keypoints.detach() - joints).norm(dim=-1) < HIT_TORSO * torso[:, None]).float() * valid
    score = nn.functional.binary_cross_entropy_with_logits(prediction.score_logits, hit)
    return maps + 2.0 * position + 0.1 * score


def pck(keypoints: Array, joints: Array, valid: Array, torso: Array) -> Array:
    """Share of labelled joints within 0.2 torso, per joint (K,)."""
    hits = (np.linalg.norm(keypoints - joints, axis=-1) < HIT_TORSO * torso[:, None]) & valid
    return np.asarray(hits.sum(0) / np.maximum(valid.sum(0), 1))


@torch.no_grad()
def evaluate(network: nn.Module, people: pose_data.People, size: int) -> dict[str, float]:
    """PCK@0.2 of LSP's 14 joints and how well the scores tell hits from misses, on plain crops."""
    network.eval()
    device = next(network.parameters()).device
    crops, joints, torso = [], [], []
    for image, points, valid in zip(people.images, people.joints, people.valid, strict=True):
        centre, extent = pose_data.person_square(points, valid)
        side = extent * pose_data.PERSON_MARGIN
        matrix = pose_data.crop_matrix(centre, side, size, 0.0, False)
        crops.append(cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR))
        joints.append((points @ matrix[:, :2].T + matrix[:, 2]) / size)
        torso.append(pose_data.torso_size(points, valid) / side)
    keypoints, scores = [], []
    for start in range(0, len(crops), 50):
        x = to_input(torch.from_numpy(np.stack(crops[start : start + 50])).to(device))
        last = network(x)[-1]
        keypoints.append(last.keypoints.cpu().numpy())
        scores.append(torch.sigmoid(last.score_logits).cpu().numpy())
    truth, found = np.stack(joints), np.concatenate(keypoints)
    per_joint = pck(found, truth, people.valid, np.array(torso))
    measured = pose_data.LSP_TO_PA16
    return {
        "pck": float(per_joint[measured].mean()),
        "pck_wrist_ankle": float(per_joint[[8, 9, 14, 15]].mean()),
        "mean_score": float(np.concatenate(scores)[:, measured].mean()),
    }


def to_input(image: Tensor) -> Tensor:
    x = image.permute(0, 3, 1, 2).float() * (2.0 / 255.0) - 1.0
    return x.contiguous(memory_format=torch.channels_last)


def computes_in_bf16(device: torch.device) -> bool:
    """Where it does, a step takes half the time and less; where it does not, bf16 is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def in_fp32(prediction: Prediction) -> Prediction:
    return Prediction(*(value.float() for value in prediction))


def learning_rate(step: int, total: int) -> float:
    if step < WARM_UP_STEPS:
        return LEARNING_RATE * (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, total - WARM_UP_STEPS)
    return LEARNING_RATE * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def train(data: Path, out: Path, seed: int, schedule: list[tuple[int, int]]) -> None:
    out.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    bf16 = computes_in_bf16(device)
    network = FrameNetwork().to(device, memory_format=torch.channels_last)
    average = copy.deepcopy(network)
    decayed = [p for p in network.parameters() if p.ndim > 1]
    plain = [p for p in network.parameters() if p.ndim <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": WEIGHT_DECAY}, {"params": plain, "weight_decay": 0.0}], lr=LEARNING_RATE
    )
    sources = (pose_data.load_training(data), pose_data.load_without_people(data))
    held_out = pose_data.load_held_out(data)
    shown = sum(len(people.images) * times for people, times in sources[0])
    steps_per_pass = shown // (BATCH - NEGATIVES_PER_BATCH)
    sizes = [size for size, passes in schedule for _ in range(passes)]
    total = steps_per_pass * len(sizes)

    checkpoint, first = out / "frame_checkpoint.pt", 0
    if checkpoint.exists():
        state = torch.load(checkpoint, map_location=device, weights_only=True)
        network.load_state_dict(state["network"])
        average.load_state_dict(state["average"])
        optimizer.load_state_dict(state["optimizer"])
        first = state["passes"]
    for epoch in range(first, len(sizes)):
        size, began, running = sizes[epoch], time.time(), 0.0
        batches = AugmentedBatches(size, epoch, seed, sources)
        loader = torch.utils.data.DataLoader(batches, batch_size=None, num_workers=1, prefetch_factor=8)
        network.train()
        step = epoch * steps_per_pass
        for batch in loader:
            batch = {name: value.to(device) for name, value in batch.items()}
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total)
            with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
                predictions = [in_fp32(prediction) for prediction in network(to_input(batch["image"]))]
            loss = sum((loss_of(p, batch) for p in predictions), torch.zeros((), device=device))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
            with torch.no_grad():
                decay = min(EMA_DECAY, (1 + step) / (10 + step))
                for kept, new in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
                    if kept.is_floating_point():
                        kept.lerp_(new, 1 - decay)
                    else:
                        kept.copy_(new)
            running += float(loss.detach())
            step += 1
        line = {
            "pass": epoch + 1,
            "size": size,
            "loss": running / steps_per_pass,
            "seconds": round(time.time() - began),
        }
        line |= evaluate(average, held_out, size)
        temporary = checkpoint.with_suffix(".tmp")
        torch.save(
            {
                "network": network.state_dict(),
                "average": average.state_dict(),
                "optimizer": optimizer.state_dict(),
                "passes": epoch + 1,
            },
            temporary,
        )
        temporary.replace(checkpoint)
        with (out / "frame_log.jsonl").open("a") as log:
            log.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/lite"))
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    train(arguments.data, arguments.out, arguments.seed, SCHEDULE)


if __name__ == "__main__":
    main()
