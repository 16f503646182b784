"""Files that are cut off, damaged, or no weights at all."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from models.deephar.networks import NETWORKS
from models.weights import keras_file, keras_match
from models.weights.keras_file import WrongWeights
from tests.models.made_weights import made_file
from tests.models.weights.changed_files import changed, names_in, refused


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.999])
def test_a_file_that_ends_too_early_is_refused(share: float, files: Path, tmp_path: Path) -> None:
    whole = made_file("ntu", files).read_bytes()
    file = tmp_path / "part.h5"
    file.write_bytes(whole[: int(share * len(whole))])
    message = refused("ntu", file)
    assert "download" in message


def test_what_is_no_weight_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.h5").write_text("<html>Sign in</html>")
    assert "no HDF5 file" in refused("mpii", tmp_path / "page.h5")
    with h5py.File(tmp_path / "other.h5", "w") as root:
        root["numbers"] = np.arange(3)
    assert "no Keras weight file" in refused("mpii", tmp_path / "other.h5")
    assert "there is no file" in refused("mpii", tmp_path / "nothing.h5")


def test_damaged_bytes_are_told_as_such(files: Path, tmp_path: Path) -> None:
    """Bytes that are wrong anywhere in the file's structure end in a message of ours, or go unnoticed by HDF5."""
    file = Path(shutil.copy(made_file("ntu", files), tmp_path / "damaged.h5"))
    listed = file.read_bytes()[:200_000]  # where layers and arrays are listed
    told = 0
    for seed in range(25):
        random = np.random.default_rng(seed)
        damaged = bytearray(listed)
        for place in random.integers(8, len(listed), 4):
            damaged[place] = random.integers(256)
        with file.open("r+b") as there:
            there.write(damaged)
        try:
            keras_file.read(file)
        except WrongWeights:
            told += 1
    assert told > 2


def test_lists_of_names_in_parts_are_read(files: Path, tmp_path: Path) -> None:
    with changed(made_file("ntu", files), tmp_path) as (root, file):
        names = names_in(root)
        del root.attrs["layer_names"]
        root.attrs["layer_names0"], root.attrs["layer_names1"] = names[:100], names[100:]
    keras_match.load(NETWORKS["ntu"].build(), keras_file.read(file))
