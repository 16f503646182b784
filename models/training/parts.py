"""Which layers of a network a phase trains."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal

from torch import nn

from models.deephar.layers import BatchNorm
from models.deephar.merged import MergedClip
from models.deephar.spnet_frame import Heatmaps

# SPNet's frame part holds the first layers of its action blocks.
OF_ACTIONS = re.compile(r"clip(\.|$)|frame\.act\d+(\.|$)|frame\.visual(\.|$)")
# Copies of the pose's last layers for the action part: they learn only when everything does.
REPLICA = re.compile(r"conv1_replica(\.|$)")


def set_trainable(network: nn.Module, trains: Literal["pose", "actions", "all"]) -> None:
    """Modes and gradients: what is fixed is in evaluation mode."""
    network.train()
    for name, module in network.named_modules():
        learns = trains == "all" or (not REPLICA.search(name) and bool(OF_ACTIONS.match(name)) == (trains == "actions"))
        if not any(module.children()):
            module.train(learns)
        for parameter in module.parameters(recurse=False):
            parameter.requires_grad_(learns)
        if isinstance(module, BatchNorm) and not module.scale:
            module.weight.requires_grad_(False)


def copy_replicas(network: nn.Module) -> None:
    """The replica layers become copies of the pose layers beside them."""
    for module in _heatmaps(network):
        if module.conv1_replica is not None:
            module.conv1_replica.load_state_dict(module.conv1.state_dict())


def start_as_keras(network: nn.Module) -> None:
    """Random weights as the original's: Glorot's uniform ones.

    The layers that weight a merged network's two maps of actions begin with 1 for each: their sum is the plain one.
    """
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_uniform_(module.weight)
    for module in network.modules():
        if isinstance(module, MergedClip):
            for weights in (module.pose_weights, module.visual_weights):
                nn.init.ones_(weights.depthwise.weight)
                nn.init.dirac_(weights.pointwise.weight)


def _heatmaps(network: nn.Module) -> Iterator[Heatmaps]:
    return (module for module in network.modules() if isinstance(module, Heatmaps))
