"""Weight files of the six networks made by rule, imported by the real importer."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from models.deephar.networks import NETWORKS
from models.weights import keras_file, keras_match
from tests.golden import make_weights

GOLDEN = Path(__file__).resolve().parent.parent / "golden"
NAMES = {  # of the golden data
    "mpii": "reception_mpii",
    "h36m": "reception_h36m",
    "penn": "spnet_penn",
    "ntu": "spnet_ntu",
    "penn-cvpr18": "merge_penn",
    "ntu-cvpr18": "merge_ntu",
}
MODELS = tuple(NAMES)
ACTION_MODELS = tuple(model for model in MODELS if NETWORKS[model].clip)


def made_file(model: str, folder: Path) -> Path:
    """The Keras weight file of `model`, as its original would write it."""
    file = folder / f"{model}.h5"
    if not file.exists():
        make_weights.write_h5(json.loads((GOLDEN / "spec" / f"{NAMES[model]}.json").read_text()), file)
    return file


def made_network(model: str, folder: Path) -> nn.Module:
    network = NETWORKS[model].build()
    keras_match.load(network, keras_file.read(made_file(model, folder)))
    network.to(memory_format=torch.channels_last)  # the same numbers in two thirds of the time
    return network.eval()


def description(model: str) -> dict[str, Any]:
    """Runs and outputs of the golden data."""
    read: dict[str, Any] = json.loads((GOLDEN / "outputs" / f"{NAMES[model]}.json").read_text())
    return read


@functools.cache
def inputs(model: str) -> dict[str, torch.Tensor]:
    """The input of each run, pictures (B, 3, H, W) or clips (B, T, 3, H, W)."""
    made = make_weights.make_inputs(description(model))
    return {run: torch.from_numpy(np.moveaxis(values, -1, -3).copy()) for run, values in made.items()}
