"""What a training step minimises: the losses of all blocks of a network, weighted as a phase says."""

from __future__ import annotations

from typing import TypeAlias

import torch
from torch import Tensor, nn

from models.deephar.merged import MergedConfig
from models.deephar.reception import ReceptionConfig
from models.deephar.spnet_config import SPNetConfig
from models.training.losses import action_loss, pose_loss, visibility_loss
from models.training.recipe import SINGLE_PICTURES, Batch, Phase

NetworkConfig: TypeAlias = ReceptionConfig | MergedConfig | SPNetConfig
Poses: TypeAlias = list[tuple[Tensor, Tensor]]  # of each block: pose (B, K, D) and visibility (B, K, 1)

VISIBILITY_WEIGHT = 0.01


def losses_of(config: NetworkConfig, network: nn.Module, batch: Batch, phase: Phase) -> dict[str, Tensor]:
    """The losses of a batch: "total", and what it is made of."""
    poses, scores = outputs(config, network, batch.pictures)
    single = batch.actions == SINGLE_PICTURES
    losses: dict[str, Tensor] = {}
    if phase.trains != "actions":
        pictures = single.repeat_interleave(batch.pictures.shape[1])
        losses["pose"] = torch.stack([_pose(block, batch, pictures, phase) for block in poses]).sum()
    if phase.trains != "pose" and scores:
        actions = batch.actions.clamp(min=0)
        each = [_mean(action_loss(block.float(), actions), ~single) for block in scores]
        losses["actions"] = phase.action_weight * torch.stack(each).sum()
        losses["top1"] = _mean((scores[-1].argmax(-1) == actions).float(), ~single)
    total = [loss for name, loss in losses.items() if name != "top1"]
    return {"total": torch.stack(total).sum(), **{name: loss.detach() for name, loss in losses.items()}}


def outputs(config: NetworkConfig, network: nn.Module, rows: Tensor) -> tuple[Poses, list[Tensor]]:
    """Poses and scores of all blocks; the network's result is the last of each."""
    if isinstance(config, ReceptionConfig):
        return network(rows.flatten(0, 1)), []
    frame, scores = network(rows)
    if isinstance(config, MergedConfig):
        return frame.blocks, [*scores.pose, *scores.visual, scores.merged]
    return list(zip(frame.poses, frame.confidences, strict=True)), scores


def _pose(block: tuple[Tensor, Tensor], batch: Batch, pictures: Tensor, phase: Phase) -> Tensor:
    pose, visibility = (part.float() for part in block)
    error = pose_loss(phase.pose_loss, pose, batch.poses.flatten(0, 1))
    seen = visibility_loss(visibility.squeeze(-1), batch.visibility.flatten(0, 1))
    return _mean(error + VISIBILITY_WEIGHT * seen, pictures)


def _mean(values: Tensor, counted: Tensor) -> Tensor:
    return (values * counted).sum() / counted.sum().clamp(min=1)
