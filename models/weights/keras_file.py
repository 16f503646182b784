"""Reads the arrays of a Keras 2 weight file (HDF5), without Keras."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


# What h5py raises on damaged files.
_DAMAGE = (OSError, RuntimeError, KeyError, ValueError, TypeError)


class WrongWeights(Exception):
    """The file cannot be the weights of this network. The text names the first array that is wrong."""


@dataclass(frozen=True)
class FileArray:
    """One array of a layer."""

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

    Raises:
        WrongWeights: This is no HDF5 file, no Keras weight file, or a truncated one.
    """
    if not file.is_file():
        raise WrongWeights(f"there is no file {file}")
    try:
        with h5py.File(file, "r") as root:
            root = root.get("model_weights", root)  # a whole model that was saved
            if not _has_list(root, "layer_names"):
                raise WrongWeights(f"{file.name} is an HDF5 file but no Keras weight file: it has no layer_names")
            groups = [_group(root, name) for name in _list(root, "layer_names")]
    except _DAMAGE as error:
        raise WrongWeights(f"{file.name} is no HDF5 file, or only a part of one ({error}); download it again") from None
    return [group for group in groups if group.arrays]


def _group(root: h5py.Group, name: str) -> FileGroup:
    group, arrays = _member(root, name), []
    if not isinstance(group, h5py.Group):
        raise WrongWeights(f"the file lists a layer {name} and does not have it")
    for array in _list(group, "weight_names"):
        path = f"{name}/{array}"
        dataset = _member(group, array)
        if not isinstance(dataset, h5py.Dataset):
            raise WrongWeights(f"the file lists an array {path} and does not have it")
        try:
            values = np.asarray(dataset, np.float32)
        except _DAMAGE as error:
            raise WrongWeights(f"the array {path} cannot be read ({error}); download the file again") from None
        if not np.isfinite(values).all():
            raise WrongWeights(f"the array {path} has numbers that are not finite")
        arrays.append(FileArray(array, values))
    return FileGroup(name, tuple(arrays))


def _member(group: h5py.Group, name: str) -> object:
    """Returns what stands under a name, or None. Less than half as slow as `get`, which looks it up first."""
    try:
        return group[name]
    except KeyError:
        return None


def _has_list(group: h5py.Group, attribute: str) -> bool:
    return attribute in group.attrs or f"{attribute}0" in group.attrs


def _list(group: h5py.Group, attribute: str) -> list[str]:
    """A list of names. Newer versions of Keras write long ones in parts: weight_names0, weight_names1, ..."""
    parts = [attribute]
    if attribute not in group.attrs:
        parts = list(itertools.takewhile(group.attrs.__contains__, (f"{attribute}{i}" for i in itertools.count())))
    names = [name for part in parts for name in np.asarray(group.attrs[part]).tolist()]
    return [name.decode() if isinstance(name, bytes) else str(name) for name in names]
