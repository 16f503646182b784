"""`deephar-models export MODEL`: imported weights to models in Triton's repository.

A network can be cut after an earlier prediction block (`--blocks`): faster and less accurate (TPAMI'20). It is then a
model of its own, such as penn@14, and knows actions as long as an action block is left.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click
import torch
from torch import nn

from models.deephar.networks import IMAGE_SIZE, NETWORKS, Network
from models.deephar.served import served_parts
from models.export import onnx_file, triton_model
from models.failure import failed, text_of
from models.files.folder_swap import put_in_place
from models.files.folders import cache_folder, repository_folder
from models.files.sample_picture import person_crops
from models.protocol.camera import DEPTH_RANGE_MM
from models.weights.released import released_for
from models.weights.store import Imported, WrongWeights, read_imported
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, IMAGE, KEYPOINT_SCORES, KEYPOINTS

LICENCE = "the weights' authors' (github.com/dluvizon/deephar); their training data have terms of their own"
OWN_LICENCE = "of whoever trained them; the training data have terms of their own"


class CannotExport(Exception):
    """The model cannot be exported; the text says what to do."""


def export(model: str, repository: Path, cache: Path, blocks: int | None = None, precision: str = "fp32") -> str:
    """Writes `<name>_frame` and, where the network knows actions, `<name>_clip`.

    They are written and checked aside, and replace existing ones only then.

    Args:
        model: One of `NETWORKS`, with imported weights.
        repository: The model repository.
        cache: The folder that weights are kept in.
        blocks: Prediction blocks that are kept; all of them where it is absent.
        precision: Of the stored weights, fp32 or fp16.

    Returns:
        The name of the model.

    Raises:
        CannotExport: The weights are not imported, or the network has fewer blocks.
        WrongWeights: The imported file is damaged.
        DiffersFromTorch: ONNX Runtime computes something else than torch.
    """
    network = NETWORKS[model]
    blocks = network.all_blocks if blocks is None else blocks
    if not 1 <= blocks <= network.all_blocks:
        raise CannotExport(f"{model} has {network.all_blocks} prediction blocks; --blocks must be from 1 to that")
    try:
        built, weights = read_imported(model, cache, blocks)
    except FileNotFoundError:
        raise CannotExport(
            f"the weights of {model} are not here yet: deephar-models weights pull {model}; "
            f"deephar-models weights import {model}"
        ) from None
    name = model if blocks == network.all_blocks else f"{model}@{blocks}"
    repository.mkdir(parents=True, exist_ok=True)
    print(f"{name}: writing and checking it takes about a minute", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), name, network, built, weights, blocks, precision)
        # In the repository itself: a rename does not leave its file system.
        with tempfile.TemporaryDirectory(dir=repository, prefix=".deephar-export-") as stage:
            # The clip network first: a frame network's card with actions needs it.
            for part in sorted(Path(folder).iterdir()):
                put_in_place(Path(shutil.copytree(part, Path(stage) / part.name)), repository / part.name)
        if not (Path(folder) / f"{name}_clip").exists():
            shutil.rmtree(repository / f"{name}_clip", ignore_errors=True)
    return name


def write(
    folder: Path, name: str, network: Network, built: nn.Module, weights: Imported, blocks: int, precision: str
) -> None:
    frame, clip = served_parts(built)
    joints, features = _sizes(frame)
    outputs = {KEYPOINTS: ("FP32", (joints, network.dims)), KEYPOINT_SCORES: ("FP32", (joints,))}
    if clip is not None:
        outputs[ACTION_FEATURES] = ("FP32", (features,))
    half = precision == "fp16"
    triton_model.write(
        folder / f"{name}_frame",
        frame,
        _pictures,
        inputs={IMAGE: ("UINT8", (IMAGE_SIZE, IMAGE_SIZE, 3))},
        outputs=outputs,
        card_of=lambda sha256: card(name, network, weights, sha256, blocks, precision, knows_actions=clip is not None),
        half=half,
    )
    if clip is None or network.clip is None:
        return
    frames = network.clip.frames
    triton_model.write(
        folder / f"{name}_clip",
        clip,
        lambda batch: (torch.rand(batch, frames, features),),
        inputs={ACTION_FEATURES: ("FP32", (frames, features))},
        outputs={ACTION_SCORES: ("FP32", (len(network.clip.labels),))},
        half=half,
    )


def card(
    name: str, network: Network, weights: Imported, sha256: str, blocks: int, precision: str, knows_actions: bool
) -> dict[str, object]:
    known = {"md5": "published MD5", "content": "poses checked by content", "no": "unchecked"}[weights.checked]
    made: dict[str, object] = {
        "model": name,
        "description": network.description
        + ("; trained here" if weights.trained else "")
        + _cut(network, blocks, knows_actions),
        "layout": network.layout,
        "dims": network.dims,
        "crop": {"size": IMAGE_SIZE, "margin": network.margin},
        "weights": f"{weights.file} ({known}, sha256 {weights.sha256}) {_instead_of(network, weights)}",
        "weights_sha256": sha256,
        "licence": OWN_LICENCE if weights.trained else LICENCE,
        "precision": f"weights stored as {precision}, computed as the server decides",
        "blocks": {"used": blocks, "all": network.all_blocks},
    }
    if network.dims == 3:
        made["depth_scale_mm"] = DEPTH_RANGE_MM
    if knows_actions and network.clip is not None:
        clip = network.clip
        made["clip"] = {"frames": clip.frames, "interval_s": clip.interval_s, "labels": list(clip.labels)}
    return made


def _instead_of(network: Network, weights: Imported) -> str:
    released = released_for(network.model)
    return weights.trained or f"for deephar's {released.file}, {released.place}"


def _cut(network: Network, blocks: int, knows_actions: bool) -> str:
    if blocks == network.all_blocks:
        return ""
    lost = "; no actions" if network.clip and not knows_actions else ""
    return f"; cut after {blocks} of {network.all_blocks} prediction blocks{lost}"


def _pictures(batch: int) -> tuple[torch.Tensor, ...]:
    """Crops (B, 256, 256, 3) of a person at random positions."""
    moves = [(int(right), int(down)) for right, down in torch.randint(-80, 81, (batch, 2))]
    return (torch.from_numpy(person_crops(moves, IMAGE_SIZE)),)


def _sizes(frame: nn.Module) -> tuple[int, int]:
    """Numbers of joints and of action features."""
    with torch.inference_mode():
        keypoints, _, *features = frame(*_pictures(1))
    return keypoints.shape[1], features[0].shape[1] if features else 0


@click.command()
@click.argument("model", type=click.Choice(list(NETWORKS)), metavar="MODEL")
@click.option(
    "--repository",
    type=click.Path(path_type=Path),
    default=repository_folder,
    show_default="the service's",
    help="Where the model goes.",
)
@click.option("--blocks", type=int, help="Stop after so many prediction blocks: faster, less exact.")
@click.option(
    "--precision",
    type=click.Choice(["fp32", "fp16"]),
    default="fp32",
    show_default=True,
    help="Of the stored weights; fp16 halves the files.",
)
def command(model: str, repository: Path, blocks: int | None, precision: str) -> int:
    """Turn imported weights into a model that Triton serves.

    MODEL is one of mpii, h36m, penn, ntu, penn-cvpr18, ntu-cvpr18.
    """
    try:
        name = export(model, repository, cache_folder(), blocks, precision)
    except (CannotExport, WrongWeights, onnx_file.DiffersFromTorch) as error:
        return failed(str(error))
    except OSError as error:
        return failed(text_of(error, repository))
    print(f"{name}: {repository / f'{name}_frame'}. A service that runs on this folder takes it up by itself.")
    return 0
