"""Where each array of deephar's released files belongs in our networks.

The CVPR'18 files are read by order. Inside a group, Keras writes the trained arrays layer by layer, then the statistics
of batch normalisation layer by layer. Layers are in Keras' order of depth, which the tables here list as paths of our
modules. SPNet's files are read by name: a module's path is the layer's name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from models.deephar.layers import BatchNorm, DepthArgmax, SeparableConv, SoftArgmax
from models.deephar.merged import ActionBlock, MergedActionNet
from models.deephar.reception import ContextHead, ReceptionNet
from models.deephar.spnet import SPNet
from models.weights.keras_file import Array, WrongWeights

RAMP_TOLERANCE = 1e-6


@dataclass(frozen=True)
class Slot:
    """One array that the file must have, and how it is loaded."""

    kind: str  # the end of its name: kernel, beta, ...
    shape: tuple[int, ...]  # in the file
    put: Callable[[Array], None]


@dataclass(frozen=True)
class Group:
    name: str
    slots: tuple[Slot, ...]


def groups_of(network: nn.Module) -> list[Group]:
    """The groups of the network's file, in the file's order for the CVPR'18 networks.

    Raises:
        TypeError: This is none of deephar's networks.
    """
    match network:
        case ReceptionNet():
            return list(_reception(network))
        case MergedActionNet():
            return list(_merged(network))
        case SPNet():
            return list(_spnet(network))
    raise TypeError(f"no file is known for {type(network).__name__}")


_STEM = (
    "conv1.conv conv1.bn conv2.conv conv2.bn conv3.conv conv3.bn conv4.conv conv4.bn conv7.conv conv7.bn conv8.conv "
    "conv8.bn conv5.conv conv9.conv conv5.bn conv9.bn conv6.conv conv10.conv conv6.bn conv10.bn conv11.conv conv11.bn "
    "sepconv1.shortcut.conv sepconv1.conv sepconv1.shortcut.bn sepconv1.bn"
)
_RECEPTION = (
    "reduce.conv reduce.bn l2_1.conv l2_1.bn l3_1.conv l3_1.bn l3_2.conv l3_2.bn l3_3.conv l2_2.conv l3_3.bn l2_2.bn "
    "l2_3.shortcut.conv l2_3.conv l1.conv l2_3.shortcut.bn l2_3.bn l1.bn"
)
_POSE_STEM = (
    "tall.conv square.conv wide.conv tall.bn square.bn wide.bn narrow.conv narrow.bn direct.conv through.conv "
    "direct.bn through.bn"
)
_ACTION = "reduce.conv reduce.bn expand.conv expand.bn conv.conv conv.bn maps"
_REINJECT = "reinject.conv reinject.bn"


def _reception(network: ReceptionNet) -> Iterator[Group]:
    yield _group("Stem", _layers(network.stem, _STEM))
    for number, block in enumerate(network.blocks, 1):
        yield _group(f"rBlock{number}", _layers(block.reception, _RECEPTION))
        yield _group(f"SepConv{number}", [block.sepconv, block.bn])
        yield _group(f"RegMap{number}", [block.maps])
        if block.reinject:
            yield _group(f"fReMap{number}", _layers(block, _REINJECT))
    yield from _pose_heads(network)


def _pose_heads(network: ReceptionNet) -> Iterator[Group]:
    head, config = network.head, network.config
    yield Group("sSAM", tuple(_place_slots(head.place, config.joints)))
    if isinstance(head, ContextHead):
        yield Group("cSAM", tuple(_place_slots(head.around, config.joints * config.contexts)))
        yield Group("Agg", (_context_sum(config.joints, config.contexts),))
    else:
        yield Group("zSAM", (_depth_slot(head.depth, config.joints),))


def _merged(network: MergedActionNet) -> Iterator[Group]:
    pose, clip = network.frame.pose, network.clip
    yield _group("td_Stem", _layers(pose.stem, _STEM))
    yield _group("td_rBlock1", _layers(pose.blocks[0].reception, _RECEPTION))
    rest: list[nn.Module] = []  # of the pose network, in one group
    for number, block in enumerate(pose.blocks):
        rest += _layers(block.reception, _RECEPTION) if number else []
        rest += [block.sepconv, block.bn, block.maps]
        rest += _layers(block, _REINJECT) if block.reinject else []
    yield _group("td_Model1", rest)
    yield from _pose_heads(pose)
    yield _group("PoseAR", [*_layers(clip.pose, _POSE_STEM), *_action_layers(clip.pose.blocks)])
    visual = network.frame.visual
    yield _group("GuidedVisAR", [visual.conv, visual.bn, *_action_layers(clip.visual.blocks)])
    yield _group("separable_conv2d (pose)", [clip.pose_weights])
    yield _group("separable_conv2d (visual)", [clip.visual_weights])


def _action_layers(blocks: Iterator[ActionBlock]) -> Iterator[nn.Module]:
    for block in blocks:
        yield from _layers(block, f"{_ACTION} {_REINJECT}" if block.reinject else _ACTION)


def _spnet(network: SPNet) -> Iterator[Group]:
    config = network.frame.config
    for part in (network.frame, network.clip):
        for path, layer in part.named_modules():
            name = path.replace(".", "_")
            if isinstance(layer, SoftArgmax):
                horizontal, vertical = _split(_place_slots(layer, config.joints))
                yield Group(f"{name}_x", horizontal)
                yield Group(f"{name}_y", vertical)
            elif isinstance(layer, SeparableConv | BatchNorm) or (isinstance(layer, nn.Conv2d) and not _inner(path)):
                yield _group(name, [layer])


def _inner(path: str) -> bool:
    """Whether this is one of the two convolutions of a SeparableConv."""
    return path.endswith(("depthwise", "pointwise"))


def _split(slots: Iterator[Slot]) -> tuple[tuple[Slot, ...], tuple[Slot, ...]]:
    every = tuple(slots)
    return every[:2], every[2:]


def _layers(module: nn.Module, paths: str) -> list[nn.Module]:
    return [module.get_submodule(path) for path in paths.split()]


def _group(name: str, layers: list[nn.Module]) -> Group:
    slots = [slot for layer in layers for slot in _trained(layer)]
    slots += [slot for layer in layers if isinstance(layer, BatchNorm) for slot in _statistics(layer)]
    return Group(name, tuple(slots))


def _trained(layer: nn.Module) -> Iterator[Slot]:
    match layer:
        case SeparableConv():
            # Keras keeps a depthwise kernel as (rows, columns, channels, 1).
            yield _copied("depthwise_kernel", layer.depthwise.weight, (2, 3, 0, 1))
            yield _copied("pointwise_kernel", layer.pointwise.weight, (2, 3, 1, 0))
        case nn.Conv2d():
            yield _copied("kernel", layer.weight, (2, 3, 1, 0))
        case BatchNorm():
            if layer.scale:
                yield _copied("gamma", layer.weight, (0,))
            yield _copied("beta", layer.bias, (0,))


def _statistics(layer: BatchNorm) -> Iterator[Slot]:
    yield _copied("moving_mean", layer.running_mean, (0,))
    yield _copied("moving_variance", layer.running_var, (0,))


def _copied(kind: str, target: Tensor, order: tuple[int, ...]) -> Slot:
    """The file's axis i is the tensor's axis order[i]."""

    def put(values: Array) -> None:
        with torch.no_grad():
            target.copy_(torch.from_numpy(np.ascontiguousarray(values.transpose(np.argsort(order)))))

    return Slot(kind, tuple(target.shape[axis] for axis in order), put)


def _place_slots(layer: SoftArgmax, channels: int) -> Iterator[Slot]:
    """The original computes soft-argmax by convolutions with fixed kernels, which the files hold (kinds `fixed_*`)."""
    rows, columns = len(layer.ramp_y), len(layer.ramp_x)
    identity = np.eye(channels, dtype=np.float32)[None, None]
    for ramp, axis in ((layer.ramp_x, 1), (layer.ramp_y, 0)):
        yield _ramp("depthwise_kernel", (rows, columns, channels, 1), ramp, axis)
        yield _constant("pointwise_kernel", identity)


def _ramp(kind: str, shape: tuple[int, ...], target: Tensor, axis: int) -> Slot:
    def put(values: Array) -> None:
        line: Array = (values[0] if axis else values[:, 0])[:, 0, 0]
        along = line.reshape(tuple(-1 if a == axis else 1 for a in range(4)))
        if np.abs(values - along).max() > RAMP_TOLERANCE:
            raise WrongWeights("is no ramp: it differs between channels or across its direction")
        target.copy_(torch.from_numpy(line.copy()))

    return Slot(kind, shape, put)


def _depth_slot(layer: DepthArgmax, joints: int) -> Slot:
    def put(values: Array) -> None:
        line: Array = values[:, 0, 0]
        if np.abs(values - line[:, None, None] * np.eye(joints)).max() > RAMP_TOLERANCE:
            raise WrongWeights("is no ramp over depth, alike for each joint")
        layer.ramp_z.copy_(torch.from_numpy(line.copy()))

    return Slot("kernel", (len(layer.ramp_z), joints, joints), put)


def _context_sum(joints: int, contexts: int) -> Slot:
    return _constant("kernel", np.repeat(np.eye(joints, dtype=np.float32), contexts, axis=0))


def _constant(kind: str, expected: Array) -> Slot:
    def put(values: Array) -> None:
        if np.abs(values - expected).max() > RAMP_TOLERANCE:
            raise WrongWeights("is not the constant that the network has there")

    return Slot(kind, expected.shape, put)
