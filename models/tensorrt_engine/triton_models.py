"""The networks of a model repository, and the configuration that serves their engines."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from models.tensorrt_engine.problem import EngineProblem

_ROLES = ("frame", "clip")


@dataclass(frozen=True, eq=False)
class Network:
    """One Triton model: `<model>_frame` or `<model>_clip`."""

    folder: Path
    role: str
    config: model_config_pb2.ModelConfig

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def onnx(self) -> Path:
        return self.folder / "1" / "model.onnx"

    @property
    def input_dims(self) -> dict[str, tuple[int, ...]]:
        """Shapes without the batch."""
        return {given.name: tuple(given.dims) for given in self.config.input}


def models_in(repository: Path) -> dict[str, tuple[Network, ...]]:
    """The networks of each model, the frame network first.

    Raises:
        EngineProblem: There are no models, or one cannot be read.
    """
    frames = sorted(repository.glob("*_frame/config.pbtxt"))
    if not frames:
        raise EngineProblem(f"{repository} has no models (no folder *_frame). Choose one with --repository.")
    names = [file.parent.name.removesuffix("_frame") for file in frames]
    return {name: tuple(_networks(repository, name)) for name in names}


def others_in(repository: Path) -> list[Path]:
    """Triton models that are neither frame nor clip networks, for which no engines are built."""
    networks = {network.folder for found in models_in(repository).values() for network in found}
    return sorted({file.parent for file in repository.glob("*/config.pbtxt")} - networks)


def engine_config(source: model_config_pb2.ModelConfig, precision: str, max_batch: int) -> str:
    """The configuration `source`, as text, for an engine; its card, if there is one, names the precision."""
    config = model_config_pb2.ModelConfig()
    config.CopyFrom(source)
    config.ClearField("backend")
    config.ClearField("default_model_filename")
    config.platform = "tensorrt_plan"
    config.max_batch_size = max_batch
    if "card" in config.parameters:
        card = json.loads(config.parameters["card"].string_value)
        config.parameters["card"].string_value = json.dumps(card | {"precision": precision})
    return text_format.MessageToString(config, as_utf8=True)


def _networks(repository: Path, model: str) -> list[Network]:
    folders = {role: repository / f"{model}_{role}" for role in _ROLES}
    return [_read(folder, role) for role, folder in folders.items() if (folder / "config.pbtxt").exists()]


def _read(folder: Path, role: str) -> Network:
    try:
        config = text_format.Parse((folder / "config.pbtxt").read_text(), model_config_pb2.ModelConfig())
    except text_format.ParseError as error:
        raise EngineProblem(f"{folder / 'config.pbtxt'} cannot be read: {error}") from error
    network = Network(folder, role, config)
    if not network.onnx.exists():
        raise EngineProblem(f"{network.onnx} is missing. Export the model again.")
    if config.max_batch_size < 1:
        raise EngineProblem(f"{folder.name} takes no batches (max_batch_size 0). Export the model again.")
    return network
