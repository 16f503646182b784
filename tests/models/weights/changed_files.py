"""Weight files that are changed, and what the importer says of them."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import pytest

from models.deephar.networks import NETWORKS
from models.weights import keras_file, keras_match
from models.weights.keras_file import WrongWeights


@contextmanager
def changed(file: Path, folder: Path) -> Iterator[tuple[h5py.File, Path]]:
    copy = folder / f"changed-{file.name}"
    shutil.copy(file, copy)
    with h5py.File(copy, "r+") as root:
        yield root, copy


def names_in(root: h5py.File) -> list[str]:
    return [name if isinstance(name, str) else name.decode() for name in root.attrs["layer_names"]]


def refused(model: str, file: Path) -> str:
    with pytest.raises(WrongWeights) as error:
        keras_match.load(NETWORKS[model].build(), keras_file.read(file))
    return str(error.value)
