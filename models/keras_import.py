"""A released Keras file becomes weights of ours in the cache, or nothing does."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import keras_file, keras_match
from models.content_check import Crops, Joints, check_sees_people
from models.keras_file import WrongWeights
from models.networks import IMAGE_SIZE, NETWORKS
from models.released import imported_file, released_for
from models.served import served_parts

__all__ = ["Imported", "WrongWeights", "import_file", "read_imported"]


@dataclass(frozen=True)
class Imported:
    """Where weights came from, and why they are believed."""

    model: str
    file: str
    sha256: str
    checked: str  # "md5": the published sum; "content": they see people; "no": nobody looked


def import_file(model: str, file: Path, cache: Path, check_content: bool = True) -> Path:
    """Reads `file` strictly, checks that its weights see people, and keeps them in the cache.

    A file with the published MD5 is believed. Raises WrongWeights, with nothing written.
    """
    network = NETWORKS[model].build(NETWORKS[model].all_blocks)
    keras_match.load(network, keras_file.read(file))
    checked = "no"
    if _digest(file, "md5") == released_for(model).md5:
        checked = "md5"
    elif check_content:
        check_sees_people(_joints_by(network), IMAGE_SIZE)
        checked = "content"
    about = Imported(model, file.name, _digest(file, "sha256"), checked)
    target = imported_file(model, cache)
    _write(target, {"about": asdict(about), "state": network.state_dict()})
    return target


def _joints_by(network: nn.Module) -> Callable[[Crops], Joints]:
    frame, _ = served_parts(network.eval())

    def joints_of(crops: Crops) -> Joints:
        with torch.inference_mode():
            joints: Joints = frame(torch.from_numpy(crops))[0].numpy()
        return joints

    return joints_of


def read_imported(model: str, cache: Path, network: nn.Module) -> Imported:
    """Fills `network`, which may be cut to fewer blocks than the imported one. FileNotFoundError: not imported yet."""
    stored = torch.load(imported_file(model, cache), map_location="cpu", weights_only=True)
    missing, _ = network.load_state_dict(stored["state"], strict=False)
    if missing:
        raise WrongWeights(f"the imported weights of {model} lack {missing[0]}; import them again")
    return Imported(**stored["about"])


def _write(target: Path, content: dict[str, Any]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    os.close(handle)
    try:
        torch.save(content, name)
        os.replace(name, target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _digest(file: Path, algorithm: str) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
