"""Writes a trained clip network, and lite's frame network beside it, as a model of its own."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.export import triton_config, triton_model
from models.files.checksums import sha256_of
from models.files.folder_swap import put_together
from models.lite.clip.network import ServedClip
from models.lite.layout import FEATURES_PER_FRAME, INTERVAL_S, NUM_FRAMES, NUM_JOINTS
from models.own.adding import DETECTOR, MODEL_NAME
from models.own_actions import base
from models.own_actions.asking import BASE
from models.own_actions.problem import CannotTrain
from service.networks.tensors import (
    ACTION_FEATURES,
    ACTION_SCORES,
    CROP_BOXES,
    IMAGE,
    KEYPOINT_SCORES,
    KEYPOINTS,
)

PARTS = ("clip", "frame")  # the frame network last: the model has actions once its card is there


def may_be_called(name: str, repository: Path, replace: bool) -> None:
    """Raises `CannotTrain` where a model cannot have this name."""
    if not MODEL_NAME.fullmatch(name):
        raise CannotTrain(f"a model cannot be named {name!r}: use letters, digits, dots, - and _")
    if name in (BASE, DETECTOR):
        raise CannotTrain(f"{name} is what this is made with; choose another --name")
    if not replace and any((repository / f"{name}_{part}").exists() for part in PARTS):
        raise CannotTrain(f"{repository} has a model {name} already; choose another --name, or give --replace")


def write(
    served: ServedClip, name: str, actions: tuple[str, ...], repository: Path, words: dict[str, str]
) -> tuple[Path, Path]:
    """Writes `<name>_clip` and `<name>_frame`, both or none.

    Args:
        served: The trained network.
        name: Of the model.
        actions: Their labels, in the order of the scores.
        repository: Has `lite`, and gets the model.
        words: What the card says otherwise than lite's: description, licence, weights.

    Returns:
        The two folders.

    Raises:
        OSError: They cannot be written.
    """
    # In the repository itself: a rename does not leave its file system. Hidden folders are not read by the service.
    with tempfile.TemporaryDirectory(dir=repository, prefix=".deephar-train-") as stage:
        new = Path(stage)
        triton_model.write(
            new / f"{name}_clip",
            served,
            _clips,
            inputs={ACTION_FEATURES: ("FP32", (NUM_FRAMES, FEATURES_PER_FRAME)), CROP_BOXES: ("FP32", (NUM_FRAMES, 4))},
            outputs={ACTION_SCORES: ("FP32", (len(actions),))},
        )
        # Of what was trained here: the frame network is lite's in every such model.
        sha256 = sha256_of(new / f"{name}_clip" / "1" / "model.onnx")
        card = _card(name, actions, repository, words) | {"weights_sha256": sha256}
        _write_frame(new / f"{name}_frame", repository, card)
        folders = tuple(f"{name}_{part}" for part in PARTS)
        put_together(folders, new, repository)
    return repository / folders[0], repository / folders[1]


def _clips(batch: int) -> tuple[Tensor, ...]:
    corners = torch.rand(batch, NUM_FRAMES, 2) * 100
    boxes = torch.cat([corners, torch.full((batch, NUM_FRAMES, 2), 200.0)], dim=-1)
    return torch.rand(batch, NUM_FRAMES, FEATURES_PER_FRAME), boxes


def _card(name: str, actions: tuple[str, ...], repository: Path, words: dict[str, str]) -> dict[str, Any]:
    clip = {"frames": NUM_FRAMES, "interval_s": INTERVAL_S, "labels": list(actions)}
    return base.card(repository) | {"model": name, "clip": clip} | words


def _write_frame(folder: Path, repository: Path, card: dict[str, Any]) -> None:
    """Writes lite's frame network under another name and card."""
    size, file = card["crop"]["size"], folder / "1" / "model.onnx"
    file.parent.mkdir(parents=True)
    shutil.copyfile(repository / f"{BASE}_frame" / "1" / "model.onnx", file)
    outputs: dict[str, triton_config.Tensor] = {
        KEYPOINTS: ("FP32", (NUM_JOINTS, card["dims"])),
        KEYPOINT_SCORES: ("FP32", (NUM_JOINTS,)),
        ACTION_FEATURES: ("FP32", (FEATURES_PER_FRAME,)),
    }
    triton_config.write(folder, {IMAGE: ("UINT8", (size, size, 3))}, outputs, triton_config.MAX_BATCH, card)
