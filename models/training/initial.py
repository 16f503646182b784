"""Weights to begin with: of a published file, an imported one, or a checkpoint, also of another network."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import h5py
import torch
from torch import Tensor, nn

from models.deephar.networks import NETWORKS
from models.files.checksums import sha256_of
from models.training.problem import CannotTrain
from models.weights import keras_file, keras_match

MIN_SHARE = 0.5  # of the network's numbers that a file must have: with less of them it is the wrong file
POSE_PART = "frame.pose."  # of the merged networks, whose pose part is a network of its own


def start_from(file: Path, network: nn.Module, model: str) -> str:
    """Loads what the file and the network have in common, by name and shape.

    Args:
        file: Released Keras weights of `model`; weights imported by `deephar-models weights import`; or a checkpoint.
        network: Gets the weights.
        model: The network's name, which says how a Keras file is read.

    Returns:
        What was loaded, for people.

    Raises:
        CannotTrain: The file is none of these, or of another network.
        OSError: It cannot be read.
    """
    state = _keras_state(file, model) if h5py.is_hdf5(file) else _torch_state(file)
    own = network.state_dict()
    if not any(name in own for name in state):
        state = {POSE_PART + name: values for name, values in state.items()}
    for name in own:  # a network that has no maps of their own for actions uses those of the poses
        twin = name.replace("conv1_replica.", "conv1.")
        if name not in state and twin in state:
            state[name] = state[twin]
    taken = {name: state[name] for name in own if name in state and state[name].shape == own[name].shape}
    numbers = sum(values.numel() for values in own.values())
    share = sum(values.numel() for values in taken.values()) / numbers
    if share < MIN_SHARE:
        raise CannotTrain(
            f"{file} has {share:.0%} of the weights of {model}, by name and shape: it is of another network"
        )
    network.load_state_dict(taken, strict=False)
    left = [name for name in own if name not in taken]
    random = f"; random stay {len(left)} others, from {left[0]} on" if left else ""
    return f"starts with {len(taken)} of {len(own)} arrays of {file} ({share:.1%} of the numbers){random}"


def source_of(file: Path) -> str:
    """What a checkpoint notes about the file."""
    return f"{file.name} (sha256 {sha256_of(file)})"


def _keras_state(file: Path, model: str) -> dict[str, Tensor]:
    try:
        groups = keras_file.read(file)
        network = NETWORKS[model].build(replica=any(group.name.endswith("_replica") for group in groups))
        keras_match.load(network, groups)
    except keras_file.WrongWeights as wrong:
        raise CannotTrain(
            f"{file} has not the weights of {model}: {wrong}. A Keras file of another network must be imported first, "
            "by `deephar-models weights import`; --init takes the imported file"
        ) from None
    return dict(network.state_dict())


def _torch_state(file: Path) -> dict[str, Tensor]:
    with file.open("rb") as stream:
        try:
            found: Mapping[str, Any] = torch.load(stream, map_location="cpu", weights_only=True)
            # As models.weights.store and models.training.checkpoint write them.
            return dict(found["state"] if "state" in found else found["network"])
        except Exception:  # torch says the same thing in many ways
            raise CannotTrain(
                f"{file} is no Keras weight file, no file that `deephar-models weights import` has written and no "
                "checkpoint of a training"
            ) from None
