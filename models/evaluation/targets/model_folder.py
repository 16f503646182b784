"""A network's folder in a model repository: its configuration and its newest file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from models.evaluation.targets.problem import TargetProblem
from models.weights.released import RELEASED

FRAME, CLIP, CARD = "_frame", "_clip", "card"
DEEPHARS = {released.model for released in RELEASED}


@dataclass(frozen=True, eq=False)
class ModelFolder:
    """What stands in the folder."""

    config: ModelConfig
    file: Path

    @property
    def inputs(self) -> set[str]:
        return {tensor.name for tensor in self.config.input}


def read_folder(repository: Path, network: str) -> ModelFolder:
    """Reads the folder of a network.

    Raises:
        TargetProblem: It is missing, or no ONNX file is in it.
    """
    folder = repository / network
    try:
        config = text_format.Parse((folder / "config.pbtxt").read_text(), ModelConfig(), allow_unknown_field=True)
    except FileNotFoundError:
        raise TargetProblem(_missing(repository, network)) from None
    except (text_format.ParseError, OSError, ValueError) as error:
        raise TargetProblem(f"{folder / 'config.pbtxt'} cannot be read: {error}") from None
    versions = sorted((int(path.name) for path in folder.iterdir() if path.name.isdecimal()), reverse=True)
    file = folder / str(versions[0] if versions else 1) / (config.default_model_filename or "model.onnx")
    if not file.is_file() or file.suffix != ".onnx":
        raise TargetProblem(f"{file} is no ONNX file; export the model again, or evaluate a Triton that serves it")
    return ModelFolder(config, file)


def card_text(config: ModelConfig, network: str) -> str:
    """The card in a frame network's configuration.

    Raises:
        TargetProblem: There is none.
    """
    if CARD not in config.parameters:
        raise TargetProblem(f"{network} has no card; make the model by deephar-models export or add")
    return str(config.parameters[CARD].string_value)


def missing_model(network: str, models: list[str], where: str) -> str:
    """The text for a network that is not there, among the names of all networks that are."""
    known = sorted(name.removesuffix(FRAME) for name in models if name.endswith(FRAME))
    model, _, cut = network.removesuffix(FRAME).removesuffix(CLIP).partition("@")
    others = f"it has {', '.join(known)}" if known else "it has no models"
    made = f". deephar-models export {model}{cut and f' --blocks {cut}'} makes it"
    return f"{where} has no {network}; {others}{made if model in DEEPHARS else ''}"


def _missing(repository: Path, network: str) -> str:
    if not repository.is_dir():
        return f"there is no model repository {repository}; give its folder by --repository"
    return missing_model(network, [path.name for path in repository.iterdir()], str(repository))
