"""Inputs of the comparison: the same numbers on every machine."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.tensorrt_engine import drawn_person
from models.tensorrt_engine.problem import EngineProblem
from models.tensorrt_engine.triton_models import Network
from service.networks.tensors import ACTION_FEATURES, CROP_BOXES, IMAGE

_SEED = 20260131
_GRID = 7  # a picture is made of this many colours along each side
_FRAMES_PER_COLOURS = 6  # from one set of colours to the next
_NOISE = 10.0  # standard deviation, of 255

Arrays = dict[str, NDArray[Any]]


def frame_inputs(network: Network, count: int) -> Arrays:
    """A video of `count` frames: a moving person on a background of changing colours, with a camera's noise.

    Raises:
        EngineProblem: The network has other inputs than a frame network's.
    """
    if set(network.input_dims) != {IMAGE}:
        raise EngineProblem(f"{network.name} should take `{IMAGE}` alone, and takes {', '.join(network.input_dims)}.")
    return {IMAGE: _video(*network.input_dims[IMAGE], count)}


@functools.cache
def _video(height: int, width: int, channels: int, count: int) -> NDArray[np.uint8]:
    """Returns the pictures (B, H, W, C), which must not be changed."""
    random = np.random.default_rng(_SEED)
    colours = random.uniform(60, 215, (count // _FRAMES_PER_COLOURS + 2, _GRID, _GRID, channels)).astype(np.float32)
    pictures = np.empty((count, height, width, channels), np.uint8)
    for i, grid in enumerate(_stretched(colours, 0, count)):
        picture = drawn_person.draw(_stretched(_stretched(grid, 0, height), 1, width), i)
        pictures[i] = np.clip(picture + random.normal(0, _NOISE, picture.shape), 0, 255)
    pictures.flags.writeable = False
    return pictures


def clip_inputs(network: Network, features: NDArray[Any], count: int) -> Arrays:
    """`count` clips of a video.

    Args:
        network: The clip network.
        features: Action features (frames, F) of the video.
        count: Of clips.

    Raises:
        EngineProblem: The network has an input that is unknown here.
    """
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
    """Square crop boxes (B, T, 4) that follow moving people: x, y, width, height in pixels of the video."""
    random = np.random.default_rng(_SEED)
    corner_px = random.uniform(0, 400, (count, 1, 2)) + np.cumsum(random.normal(0, 4, (count, frames, 2)), axis=1)
    side_px = random.uniform(120, 320, (count, 1, 1)) + np.cumsum(random.normal(0, 1, (count, frames, 1)), axis=1)
    return np.concatenate([corner_px, side_px, side_px], axis=-1).astype(np.float32)


def _stretched(values: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """`values` interpolated linearly to `size` entries along `axis`."""
    position = np.linspace(0, values.shape[axis] - 1, size, dtype=np.float32)
    before = np.minimum(position.astype(int), values.shape[axis] - 2)
    shape = [1] * values.ndim
    shape[axis] = size
    share = (position - before).reshape(shape)
    return values.take(before, axis) * (1 - share) + values.take(before + 1, axis) * share
