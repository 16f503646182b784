"""What a training step minimises: the losses of all blocks of a network, weighted as a phase says.

Pictures and clips go through the network one after the other, as in the original: batch normalisation takes each of
them for itself, and the action part sees clips only.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from models.deephar.merged import MergedActionNet
from models.deephar.reception import ReceptionNet
from models.deephar.spnet import SPNet
from models.training.losses import action_loss, pose_loss, visibility_loss
from models.training.recipe import Batch, Phase

VISIBILITY_WEIGHT = 0.01


def losses_of(network: nn.Module, batch: Batch, phase: Phase) -> dict[str, Tensor]:
    """The losses of a batch: "total", and what it is made of."""
    losses: dict[str, Tensor] = {}
    figures: dict[str, Tensor] = {}
    if phase.trains != "actions":
        blocks = block_poses(network, batch.pictures)
        losses["pose"] = torch.stack([_pose_loss(*block, batch, phase).mean() for block in blocks]).sum()
    if phase.trains != "pose" and not isinstance(network, ReceptionNet):
        scores = block_scores(network, batch.clips)
        each = [action_loss(block.float(), batch.actions).mean() for block in scores]
        losses["actions"] = phase.action_weight * torch.stack(each).sum()
        figures["top1"] = (scores[-1].argmax(-1) == batch.actions).float().mean()
    total = torch.stack(list(losses.values())).sum()
    return {"total": total, **{name: loss.detach() for name, loss in losses.items()}, **figures}


def block_poses(network: nn.Module, pictures: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The pose (B, K, D) and visibility (B, K, 1) of each block; the network's result is the last one."""
    if isinstance(network, SPNet):
        frame = network.frame(pictures)
        return list(zip(frame.poses, frame.confidences, strict=True))
    pose = network.frame.pose if isinstance(network, MergedActionNet) else network
    return cast(list[tuple[Tensor, Tensor]], pose(pictures))


def block_scores(network: nn.Module, clips: Tensor) -> list[Tensor]:
    """The scores (N, A) of each action block; the network's result is the last one."""
    _, scores = network(clips)
    return [*scores.pose, *scores.visual, scores.merged] if isinstance(network, MergedActionNet) else scores


def _pose_loss(pose: Tensor, visibility: Tensor, batch: Batch, phase: Phase) -> Tensor:
    error = pose_loss(phase.pose_loss, pose.float(), batch.poses)
    return error + VISIBILITY_WEIGHT * visibility_loss(visibility.float().squeeze(-1), batch.visibility)
