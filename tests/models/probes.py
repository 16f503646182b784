"""Finds the first layer in which a network differs from the original, by 12 values of the original's layers."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from models.deephar.merged import MergedActionNet
from models.deephar.reception import ReceptionNet
from models.deephar.spnet import SPNet
from tests.models.made_weights import GOLDEN, NAMES, inputs

TOLERANCE = 1e-4  # relative to the layer's own spread


def first_difference(model: str, network: nn.Module) -> str:
    """The first layer, in the original's order, whose output is another in run `a`; empty where none is."""
    layers = json.loads((GOLDEN / "outputs" / f"{NAMES[model]}_probes.json").read_text())["layers"]
    values = np.load(GOLDEN / "outputs" / f"{NAMES[model]}_probes.npz")["values"]
    seen: dict[str, np.ndarray] = {}
    hooks = [
        module.register_forward_hook(lambda _, __, output, name=name: _keep(seen, name, output))
        for name, module in _named_layers(network)
    ]
    with torch.inference_mode():
        network(inputs(model)["a"])
    for hook in hooks:
        hook.remove()
    compared = 0
    for (name, shape, _, spread), expected in zip(layers, values, strict=True):
        if name not in seen:
            continue
        compared += 1
        ours = seen[name].ravel()
        assert ours.size == np.prod(shape), f"{name} has {ours.size} values, not {shape}"
        picked = ours[np.linspace(0, ours.size - 1, 12).astype(int)]
        if np.abs(picked - expected).max() > TOLERANCE * max(spread, 1e-3):
            return str(name)
    assert compared > 10, "the probes found no layers to compare"
    return ""


def _keep(seen: dict[str, np.ndarray], name: str, output: object) -> None:
    """A layer that is used again is `name#2`. Maps are compared with the channels last, as the original has them."""
    if not isinstance(output, torch.Tensor):
        return
    count = 1 + sum(key.partition("#")[0] == name for key in seen)
    values = output.movedim(1, -1) if output.ndim == 4 else output
    seen[name if count == 1 else f"{name}#{count}"] = values.numpy()


def _named_layers(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Our modules by the original's names of their outputs."""
    match network:
        case SPNet():
            for part in (network.frame, network.clip):
                for path, module in part.named_modules():
                    yield path.replace(".", "_"), module
        case ReceptionNet():
            yield "Stem", network.stem
            yield from _head(network)
            for number, block in enumerate(network.blocks, 1):
                yield f"rBlock{number}", block.reception
                yield f"SepConv{number}", block.bn
                yield f"RegMap{number}", block.maps
                if block.reinject:
                    yield f"fReMap{number}", block.reinject
        case MergedActionNet():
            pose = network.frame.pose
            yield "td_Stem", pose.stem
            yield "td_rBlock1", pose.blocks[0].reception
            yield "td_Model1", pose.blocks[-1].maps
            yield from _head(pose)
            for name, actions in (("PoseAR", network.clip.pose), ("GuidedVisAR", network.clip.visual)):
                for index, block in enumerate(actions.blocks):
                    yield f"{name}[{index}]", block.maps


def _head(network: ReceptionNet) -> Iterator[tuple[str, nn.Module]]:
    yield "sSAM", network.head.place
    if network.config.dims == 2:
        yield "cSAM", network.head.around
    else:
        yield "zSAM", network.head.depth
