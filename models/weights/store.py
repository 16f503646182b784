"""The import of weights, released (a Keras file) or trained here (a checkpoint), to a file in the cache."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from models.deephar.networks import IMAGE_SIZE, NETWORKS
from models.deephar.served import served_parts
from models.files.checksums import md5_of, sha256_of
from models.files.whole_file import write_whole
from models.training import checkpoint
from models.training.problem import CannotTrain
from models.weights import keras_file, keras_match
from models.weights.content_check import Crops, Joints, check_sees_people
from models.weights.keras_file import WrongWeights
from models.weights.released import imported_file, released_for

__all__ = ["Imported", "WrongWeights", "import_file", "read_imported"]


@dataclass(frozen=True)
class Imported:
    """The provenance of imported weights, and how they were checked."""

    model: str
    file: str
    sha256: str
    checked: str  # "md5": the published sum; "content": keypoints follow a person; "no": unchecked
    replica: bool  # the action part has separate maps, which the published network has not
    trained: str = ""  # by which recipe and on which data, of weights that were trained here


def import_file(model: str, file: Path, cache: Path, check_content: bool = True) -> Path:
    """Imports a Keras file, or the checkpoint of a training, into the cache.

    Args:
        model: One of `NETWORKS`.
        file: The Keras weights, or what `deephar-models train` has written.
        cache: The folder that weights are kept in.
        check_content: Whether to check that keypoints follow a person, where the MD5 is not the published one.

    Returns:
        The imported file.

    Raises:
        WrongWeights: These cannot be the model's weights. Nothing is written.
    """
    network, replica, trained = _trained(model, file) if is_checkpoint(file) else _released(model, file)
    checked = "no"
    if not trained and md5_of(file) == released_for(model).md5:
        checked = "md5"
    elif check_content:
        check_sees_people(_joints_by(network), IMAGE_SIZE)
        checked = "content"
    about = Imported(model, file.name, sha256_of(file), checked, replica, trained)
    target = imported_file(model, cache)
    target.parent.mkdir(parents=True, exist_ok=True)
    packed = io.BytesIO()  # torch.save itself says of a full disk no more than that something failed
    torch.save({"about": asdict(about), "state": network.state_dict()}, packed)
    write_whole(target, packed.getbuffer())
    return target


def is_checkpoint(file: Path) -> bool:
    """Whether it is a file of PyTorch, which are zip archives; Keras files are HDF5."""
    return zipfile.is_zipfile(file)


def _released(model: str, file: Path) -> tuple[nn.Module, bool, str]:
    groups = keras_file.read(file)
    replica = NETWORKS[model].may_have_replica and any(group.name.endswith("_replica") for group in groups)
    network = NETWORKS[model].build(replica=replica)
    keras_match.load(network, groups)
    return network, replica, ""


def _trained(model: str, file: Path) -> tuple[nn.Module, bool, str]:
    try:
        found = checkpoint.read(file)
    except CannotTrain as problem:
        raise WrongWeights(str(problem)) from None
    recipe, state = found["origin"].recipe, found["network"]
    if recipe != model:
        raise WrongWeights(f"it was trained by the recipe {recipe}: deephar-models weights import {recipe} {file}")
    replica = NETWORKS[model].may_have_replica and any("_replica" in name for name in state)
    network = NETWORKS[model].build(replica=replica)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WrongWeights(f"it is of another form of the network: {str(error).splitlines()[-1].strip()}") from None
    poisoned = [name for name, values in state.items() if values.is_floating_point() and not values.isfinite().all()]
    if poisoned:
        raise WrongWeights(f"the array {poisoned[0]} has numbers that are not finite")
    return network, replica, checkpoint.provenance(found)


def _joints_by(network: nn.Module) -> Callable[[Crops], Joints]:
    frame, _ = served_parts(network.eval())

    def joints_of(crops: Crops) -> Joints:
        with torch.inference_mode():
            joints: Joints = frame(torch.from_numpy(crops))[0].numpy()
        return joints

    return joints_of


def read_imported(model: str, cache: Path, blocks: int | None = None) -> tuple[nn.Module, Imported]:
    """The network, cut to its first `blocks` prediction blocks where given, and the provenance of its weights.

    Raises:
        FileNotFoundError: The model's weights are not imported yet.
        WrongWeights: The imported file is damaged.
    """
    with imported_file(model, cache).open("rb") as stream:
        try:
            stored = torch.load(stream, map_location="cpu", weights_only=True)
            about = Imported(**stored["about"])
            network = NETWORKS[model].build(blocks, about.replica)
            missing, _ = network.load_state_dict(stored["state"], strict=False)
        except Exception:  # torch says the same thing in many ways
            raise WrongWeights(f"the imported weights of {model} are damaged; import them again") from None
    if missing:
        raise WrongWeights(f"the imported weights of {model} lack {missing[0]}; import them again")
    return network.eval(), about
