"""What a recipe is: a network, the data it learns from, and the phases of its training."""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from models.datasets.samples import Dataset
from models.deephar.merged import MergedConfig
from models.deephar.networks import build
from models.deephar.reception import ReceptionConfig
from models.deephar.spnet_config import SPNetConfig
from models.protocol.joints import Joints
from models.training.augmentation import Augmentation
from models.training.losses import PoseLoss

Sources = Mapping[str, Dataset[Any]]  # the training split of each data set, by its name
Trains = Literal["pose", "actions", "all"]


class RecipeProblem(Exception):
    """A recipe that cannot be followed with what is there; the text says what to do."""


@dataclass(frozen=True, kw_only=True)
class Share:
    """What one data set gives to each batch of all processes together."""

    dataset: str
    count: int  # single pictures, or clips
    clips: bool = False  # with their actions; single pictures with their poses where it is not set
    optional: bool = False  # where the data set is absent, the first data set of the batch gives more


@dataclass(frozen=True, kw_only=True)
class Phase:
    """A stretch of the training with one optimizer; "rmsprop" is Keras': decay 0.9, epsilon 1e-7."""

    name: str
    epochs: int
    steps_per_epoch: int
    trains: Trains
    optimizer: Literal["rmsprop", "sgd"]
    learning_rate: float
    batch: tuple[Share, ...]
    milestones: tuple[int, ...] = ()  # epochs of this phase, from 0, before which the rate is multiplied by `factor`
    factor: float = 1.0
    momentum: float = 0.0  # Nesterov's, of "sgd"
    pose_loss: PoseLoss = "l1l2bincross"
    action_weight: float = 1.0


@dataclass(frozen=True, eq=False)
class Batch:
    """Single pictures with their poses, and clips with their actions; there may be none of a kind."""

    pictures: Tensor  # (B, 3, H, W) in -1..1
    poses: Tensor  # (B, K, D) in 0..1 of the crop; `losses.UNKNOWN` where there is no truth
    visibility: Tensor  # (B, K): 1 visible, 0 not, -1 where the data set does not have the joint at all
    clips: Tensor  # (N, T, 3, H, W) in -1..1
    actions: Tensor  # (N,) from 0

    @property
    def parts(self) -> tuple[Tensor, ...]:
        return self.pictures, self.poses, self.visibility, self.clips, self.actions

    def to(self, device: torch.device | str) -> Batch:
        return Batch(*(part.to(device, non_blocking=True) for part in self.parts))

    def pin_memory(self) -> Batch:
        """Called by PyTorch's DataLoader."""
        return Batch(*(part.pin_memory() for part in self.parts))


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one of deephar's networks is trained."""

    name: str
    config: ReceptionConfig | MergedConfig | SPNetConfig
    joints: Joints  # the network's layout
    phases: tuple[Phase, ...]
    augmentations: Mapping[str, Augmentation]  # of each data set
    clip_frames: int = 1
    dataset_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # of `open_split`

    @property
    def dims(self) -> int:
        """Coordinates of the network's joints."""
        return self.config.pose.dims if isinstance(self.config, MergedConfig) else self.config.dims

    @property
    def image_size(self) -> int:
        """Side of the network's crops in pixels."""
        if isinstance(self.config, SPNetConfig):
            return self.config.image_size
        pose = self.config.pose if isinstance(self.config, MergedConfig) else self.config
        return 8 * pose.map_size

    @property
    def datasets(self) -> tuple[str, ...]:
        """Whose split `train` is used; `missing` says which of them cannot be left out."""
        return tuple(dict.fromkeys(share.dataset for phase in self.phases for share in phase.batch))

    def missing(self, present: Container[str]) -> tuple[str, ...]:
        """The data sets without which the recipe cannot be followed."""
        needed = {share.dataset for phase in self.phases for share in phase.batch if not share.optional}
        return tuple(name for name in self.datasets if name in needed and name not in present)

    def build(self) -> nn.Module:
        """The network with random weights, drawn from PyTorch's generator."""
        from models.training.parts import start_as_keras

        network = build(self.config)
        start_as_keras(network)
        return network

    def batches(
        self,
        phase: Phase,
        sources: Sources,
        seed: int,
        epoch: int,
        rank: int = 0,
        world: int = 1,
        *,
        start: int = 0,
        workers: int = 0,
        pin_memory: bool = False,
    ) -> Iterator[Batch]:
        """One epoch's batches for one process, each a function of the seed, the epoch and the step alone.

        All processes together see the batch that a single one would see: `world` changes no rate and no order.

        Args:
            phase: One of `phases`.
            sources: The training split of each data set, by its name.
            seed: Of the whole training.
            epoch: Of this phase, from 0.
            rank: Of this process.
            world: Processes in all.
            start: The first step; those before it were taken by the training that is resumed.
            workers: Processes that prepare batches; 0 does it in this one.
            pin_memory: For a faster way to a GPU.

        Raises:
            RecipeProblem: A data set is missing, or a batch cannot be divided among the processes.
        """
        from models.training.batches import epoch_batches

        return epoch_batches(
            self, phase, sources, seed, epoch, rank, world, start=start, workers=workers, pin_memory=pin_memory
        )

    def loss(self, network: nn.Module, batch: Batch, phase: Phase) -> dict[str, Tensor]:
        """The losses of a batch, means over pictures and over clips; "total" is minimised, the others are for the log.

        Parts of the network are called, not the whole: it must not be wrapped, but the caller of this may be.
        """
        from models.training.objective import losses_of

        return losses_of(network, batch, phase)

    def begin(self, network: nn.Module, phase: Phase) -> None:
        """Once, before the first step of a phase, not when it is resumed: copies layers that start as copies."""
        from models.training.parts import copy_replicas

        if phase.trains == "actions":
            copy_replicas(network)

    def prepare(self, network: nn.Module, phase: Phase) -> None:
        """Before a phase's steps, also resumed ones, and after each evaluation: modes, and which parameters learn.

        Fixed parts are in evaluation mode: their batch normalisation keeps its averages. Make the optimizer and wrap
        the network after this.
        """
        from models.training.parts import set_trainable

        set_trainable(network, phase.trains)

    def fingerprint(self) -> str:
        """SHA-256 of all that a checkpoint must agree on to be resumed."""
        return hashlib.sha256(repr(self).encode()).hexdigest()
