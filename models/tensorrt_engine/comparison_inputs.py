"""What both sides of the comparison see: the same numbers on every machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tensorrt_engine import drawn_person
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.triton_models import Network
from service.networks.tensors import ACTION_FEATURES, CROP_BOXES, IMAGE

_SEED = 20260131
_GRID = 7  # a picture is made of this many colours along each side
_STILL = 6  # frames from one set of colours to the next
_NOISE = 10.0  # standard deviation, of 255

Arrays = dict[str, NDArray[Any]]


def frame_inputs(network: Network, count: int) -> Arrays:
    """A film of `count` pictures: a person who moves, before colours that flow and slowly change; a camera's noise."""
    if set(network.input_dims) != {IMAGE}:
        raise EngineProblem(f"{network.name} should take `{IMAGE}` alone, and takes {', '.join(network.input_dims)}.")
    height, width, channels = network.input_dims[IMAGE]
    random = np.random.default_rng(_SEED)
    colours = random.uniform(60, 215, (count // _STILL + 2, _GRID, _GRID, channels)).astype(np.float32)
    pictures = np.empty((count, height, width, channels), np.uint8)
    for i, grid in enumerate(_stretched(colours, 0, count)):
        picture = drawn_person.draw(_stretched(_stretched(grid, 0, height), 1, width), i)
        pictures[i] = np.clip(picture + random.normal(0, _NOISE, picture.shape), 0, 255)
    return {IMAGE: pictures}  # (B, H, W, 3)


def clip_inputs(network: Network, features: NDArray[Any], count: int) -> Arrays:
    """`count` clips out of a film. `features` (frames, F): what the frame network says of it."""
    inputs: Arrays = {}
    for name, dims in network.input_dims.items():
        frames = dims[0]
        if name == ACTION_FEATURES:
            starts = np.arange(count) * max(1, len(features) // count)
            chosen = (starts[:, None] + np.arange(frames)) % len(features)  # (B, T)
            inputs[name] = features[chosen].astype(np.float32)  # (B, T, F)
        elif name == CROP_BOXES and dims[1:] == (4,):
            inputs[name] = _walk(count, frames)
        else:
            raise EngineProblem(f"{network.name}: what to put into its input {name} {dims} is not known here.")
    return inputs


def _walk(count: int, frames: int) -> NDArray[Any]:
    """Square crops (B, T, 4) around people who move: x, y, width, height in pixels of the source."""
    random = np.random.default_rng(_SEED)
    corner_px = random.uniform(0, 400, (count, 1, 2)) + np.cumsum(random.normal(0, 4, (count, frames, 2)), axis=1)
    side_px = random.uniform(120, 320, (count, 1, 1)) + np.cumsum(random.normal(0, 1, (count, frames, 1)), axis=1)
    return np.concatenate([corner_px, side_px, side_px], axis=-1).astype(np.float32)


def _stretched(values: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """`values` with `size` entries along `axis`, linear between those that were there."""
    position = np.linspace(0, values.shape[axis] - 1, size, dtype=np.float32)
    before = np.minimum(position.astype(int), values.shape[axis] - 2)
    shape = [1] * values.ndim
    shape[axis] = size
    share = (position - before).reshape(shape)
    return values.take(before, axis) * (1 - share) + values.take(before + 1, axis) * share
