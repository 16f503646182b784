"""What all trainings share: averaged weights, optimizer, learning rate, checkpoint and log."""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor, nn

WARM_UP_STEPS = 300
LARGEST_GRADIENT = 5.0

AnyNetwork = TypeVar("AnyNetwork", bound=nn.Module)


def command_line(purpose: str | None) -> argparse.ArgumentParser:
    """The arguments of every step of `make train-lite`."""
    parser = argparse.ArgumentParser(description=purpose, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("build/lite"), help="folder of checkpoints and logs")
    parser.add_argument("--seed", type=int, default=7)
    return parser


def best_device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 is fast on the device: a step takes half the time or less. Elsewhere it is slower than fp32."""
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    info = Path("/proc/cpuinfo")
    return info.exists() and any(flag in info.read_text() for flag in ("avx512_bf16", "amx_bf16"))


def cosine(step: int, total: int, peak: float) -> float:
    """The learning rate of a step: linear warm-up, then half a cosine down to a hundredth of the peak."""
    if step < WARM_UP_STEPS:
        return peak * (step + 1) / WARM_UP_STEPS
    progress = (step - WARM_UP_STEPS) / max(1, total - WARM_UP_STEPS)
    return peak * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1.0, progress))))


def checkpoint(out: Path, part: str) -> Path:
    """Where the training of a part leaves its checkpoint."""
    return out / f"{part}_checkpoint.pt"


def trained(network: AnyNetwork, file: Path) -> AnyNetwork:
    """The network, on the CPU and in evaluation mode, with the averaged weights of a checkpoint."""
    state = torch.load(file, map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    return network.eval()


class Training(Generic[AnyNetwork]):
    """The state of a training. Resumes from `<part>_checkpoint.pt` where there is one.

    `average` has the exponential moving average of the weights: those are evaluated and served.
    """

    def __init__(
        self,
        network: AnyNetwork,
        out: Path,
        part: str,
        log: str,
        weight_decay: float,
        ema_decay: float = 0.998,
        gentle: tuple[nn.Module | None, float] = (None, 1.0),
    ) -> None:
        """The state of a training.

        Args:
            network: Parameters that need no gradient stay as they are.
            out: Folder of checkpoints and logs.
            part: Names the checkpoint.
            log: Names the log.
            weight_decay: Of matrices and kernels.
            ema_decay: Of the averaged weights.
            gentle: A pretrained part, and the share of the learning rate that it gets.
        """
        out.mkdir(parents=True, exist_ok=True)
        self.network, self.average = network, copy.deepcopy(network)
        self.device = next(network.parameters()).device
        self._bf16, self._ema_decay = computes_in_bf16(self.device), ema_decay
        part_gently, share = gentle
        gently = set(part_gently.parameters()) if part_gently else set()
        groups = [
            {
                "params": [
                    p for p in network.parameters()
                    if p.requires_grad and (p in gently) == is_gentle and (p.ndim > 1) == is_decayed
                ],
                "weight_decay": weight_decay if is_decayed else 0.0,
                "share": share if is_gentle else 1.0,
            }
            for is_gentle in (False, True)
            for is_decayed in (True, False)
        ]  # fmt: skip
        self._optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
        self._checkpoint, self._log = checkpoint(out, part), out / f"{log}_log.jsonl"
        self.passes = 0
        if self._checkpoint.exists():
            state = torch.load(self._checkpoint, map_location=self.device, weights_only=True)
            self.network.load_state_dict(state["network"])
            self.average.load_state_dict(state["average"])
            self._optimizer.load_state_dict(state["optimizer"])
            self.passes = state["passes"]
        self._began = time.time()

    def autocast(self) -> AbstractContextManager[Any]:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self._bf16)

    def step(self, loss: Tensor, number: int, learning_rate: float) -> None:
        """One step of the optimizer and of the average; `number` counts steps from 0."""
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate * group["share"]
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.network.parameters(), LARGEST_GRADIENT)
        self._optimizer.step()
        decay = min(self._ema_decay, (1 + number) / (10 + number))
        with torch.no_grad():
            for kept, new in zip(self.average.state_dict().values(), self.network.state_dict().values(), strict=True):
                if kept.is_floating_point():
                    kept.lerp_(new, 1 - decay)
                else:
                    kept.copy_(new)

    def finish_pass(self, **figures: object) -> None:
        """Writes the checkpoint, then a line of the log."""
        self.passes += 1
        temporary = self._checkpoint.with_suffix(".tmp")
        state = {
            "network": self.network.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "passes": self.passes,
        }
        torch.save(state, temporary)
        temporary.replace(self._checkpoint)
        line = json.dumps({"pass": self.passes, **figures, "seconds": round(time.time() - self._began)})
        with self._log.open("a") as log:
            log.write(line + "\n")
        print(line, flush=True)
        self._began = time.time()
