"""The processes of a training: a single one, or those that torchrun has started, joined by PyTorch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from models.training.problem import CannotTrain

T = TypeVar("T")


@dataclass(frozen=True)
class Process:
    """This process among all of them."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether it is the one that writes files and speaks."""
        return self.rank == 0

    def any_of(self, flags: list[bool]) -> list[bool]:
        """Of each flag, whether it is set in any process. All of them must ask at once."""
        if self.world == 1:
            return flags
        raised = torch.tensor(flags, dtype=torch.uint8, device=self.device)
        dist.all_reduce(raised, dist.ReduceOp.MAX)
        return [bool(flag) for flag in raised.tolist()]

    def gathered(self, own: T) -> list[T]:
        """What each process gives, by rank. All of them must ask at once."""
        if self.world == 1:
            return [own]
        found: list[T | None] = [None] * self.world
        dist.all_gather_object(found, own)
        return [one for one in found if one is not None]

    def shared(self, module: nn.Module) -> nn.Module:
        """The module with gradients that are the mean over all processes; the first one's weights are everybody's."""
        if self.world == 1:
            return module
        if self.device.type == "cuda":  # PyTorch has it for GPUs only: elsewhere each process normalises its own rows
            module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return DistributedDataParallel(module)


def is_lost_process(error: RuntimeError) -> bool:
    """Whether PyTorch says that another process of the training is gone."""
    return isinstance(error, dist.DistError) or "/gloo/" in str(error)


@contextmanager
def joined(device: str | None = None) -> Iterator[Process]:
    """This process, joined with the others of the same torchrun.

    Args:
        device: Such as `cpu` or `cuda:1`; torchrun's processes take one GPU each. Absent: a GPU where there is one.

    Raises:
        CannotTrain: There is no such device, or there are more processes than GPUs.
    """
    kind = _device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if not dist.is_torchelastic_launched():
        yield Process(kind)
        return
    if kind.type == "cuda":
        local, here = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if local >= here:
            raise CannotTrain(f"more processes than GPUs on this machine: --nproc-per-node must be {here} at most")
        kind = torch.device("cuda", local)
        torch.cuda.set_device(kind)
    dist.init_process_group("nccl" if kind.type == "cuda" else "gloo")
    try:
        yield Process(kind, dist.get_rank(), dist.get_world_size())
    finally:
        dist.destroy_process_group()


def _device(name: str) -> torch.device:
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError):  # an unknown name; a GPU or a build of PyTorch for it that is not here
        raise CannotTrain(f"--device {name}: there is no such device here") from None
