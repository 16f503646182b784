"""Reads the arrays of a Keras 2 weight file (HDF5), without Keras."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


class WrongWeights(Exception):
    """The file cannot be the weights of this network. The text names the first array that is wrong."""


@dataclass(frozen=True)
class FileArray:
    name: str  # inside its group, such as conv2d_1/kernel:0
    values: Array

    @property
    def kind(self) -> str:
        """kernel, beta, moving_mean, ..."""
        return self.name.rpartition("/")[2].partition(":")[0]


@dataclass(frozen=True)
class FileGroup:
    """One layer of the top model, with its arrays in the file's order."""

    name: str
    arrays: tuple[FileArray, ...]


def read(file: Path) -> list[FileGroup]:
    """The groups that have weights, in the file's order.

    Raises WrongWeights where this is no HDF5 file, no Keras weight file, or one that ends too early.
    """
    try:
        with h5py.File(file, "r") as root:
            root = root["model_weights"] if "layer_names" not in root.attrs and "model_weights" in root else root
            if "layer_names" not in root.attrs:
                raise WrongWeights(f"{file.name} is an HDF5 file but no Keras weight file: it has no layer_names")
            groups = [_group(root, _text(name)) for name in root.attrs["layer_names"]]
    except OSError as error:
        if not file.is_file():
            raise WrongWeights(f"there is no file {file}") from None
        raise WrongWeights(f"{file.name} is no HDF5 file, or only a part of one ({error}); download it again") from None
    return [group for group in groups if group.arrays]


def _group(root: h5py.Group, name: str) -> FileGroup:
    if name not in root:
        raise WrongWeights(f"the file lists a layer {name} and does not have it")
    group, arrays = root[name], []
    for array in map(_text, group.attrs.get("weight_names", ())):
        path = f"{name}/{array}"
        if array not in group:
            raise WrongWeights(f"the file lists an array {path} and does not have it")
        try:
            values = np.asarray(group[array], np.float32)
        except (OSError, ValueError, TypeError) as error:
            raise WrongWeights(f"the array {path} cannot be read ({error}); download the file again") from None
        if not np.isfinite(values).all():
            raise WrongWeights(f"the array {path} has numbers that are not finite")
        arrays.append(FileArray(array, values))
    return FileGroup(name, tuple(arrays))


def _text(name: bytes | str) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
