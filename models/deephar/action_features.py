"""Action features of a frame: its weighted pose and the visual features at its joints, as one flat vector."""

from __future__ import annotations

import torch
from torch import Tensor


def at_joints(probabilities: Tensor, features: Tensor) -> Tensor:
    """Features (B, C, H, W) pooled under the probability maps (B, K, H, W) of the joints: (B, C, K, 1)."""
    gathered = probabilities.flatten(2) @ features.flatten(2).transpose(1, 2)  # (B, K, C)
    return gathered.transpose(1, 2)[..., None]


def pack(weighted_pose: Tensor, visual: Tensor) -> Tensor:
    """Weighted pose (B, K, D) and visual features (B, V, K, 1) to action features (B, K D + K V)."""
    return torch.cat([weighted_pose.flatten(1), visual.squeeze(3).transpose(1, 2).flatten(1)], dim=1)


def unpack(features: Tensor, joints: int, dims: int) -> tuple[Tensor, Tensor]:
    """Action features (B, T, F) of T frames to poses (B, D, T, K) and visual features (B, V, T, K)."""
    poses, visual = features[..., : joints * dims], features[..., joints * dims :]
    return tuple(part.unflatten(2, (joints, -1)).permute(0, 3, 1, 2) for part in (poses, visual))
