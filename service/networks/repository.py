"""A model repository on disk, read and checked before Triton loads anything of it."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from service.networks.card import Card, PersonCard, check_detector, check_frame
from service.networks.model import CLIP_SUFFIX, FRAME_SUFFIX, PERSON_NETWORK, model_of

Stamp = tuple[tuple[str, int, int], ...]

NOT_OURS = f"its name ends neither in {FRAME_SUFFIX} nor in {CLIP_SUFFIX}, and is not {PERSON_NETWORK}"
_MODEL_FILES = {"onnxruntime": "model.onnx"}


@dataclass(frozen=True)
class Folder:
    """A folder of the repository, which holds a network.

    Attributes:
        name: Of the network.
        stamp: Path, time and size of each file: where it stays, nothing has changed.
        versions: Its version folders, the newest first.
        refusal: Why it is not to be loaded; None where nothing speaks against it.
        card: Of a frame network.
        config: As it was read.
    """

    name: str
    stamp: Stamp
    versions: tuple[int, ...] = ()
    refusal: str | None = None
    card: Card | None = None
    config: ModelConfig | None = None


def read(repository: Path) -> dict[str, Folder]:
    """Returns the folders by name, those of a model checked against each other. Blocks: it is work for a thread.

    Raises:
        OSError: The repository cannot be read.
    """
    with os.scandir(repository) as entries:
        names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
    folders = {name: _folder(repository / name) for name in names}
    return {
        name: replace(folder, refusal=folder.refusal or _missing(folder, folders)) for name, folder in folders.items()
    }


def card_in(config: ModelConfig, frame_network: str) -> Card:
    """Returns the card of a frame network.

    Raises:
        ValueError: It has none, or not its own.
    """
    card = Card.model_validate_json(_card_text(config))
    inputs, outputs = ({tensor.name: list(tensor.dims) for tensor in side} for side in (config.input, config.output))
    check_frame(card, inputs, outputs)
    if card.model + FRAME_SUFFIX != frame_network:
        raise ValueError(f"its card is that of another model ({card.model})")
    return card


def detector_card_in(config: ModelConfig) -> PersonCard:
    """Returns the card of the detector.

    Raises:
        ValueError: It has none that is valid.
    """
    card = PersonCard.model_validate_json(_card_text(config))
    inputs = {tensor.name: list(tensor.dims) for tensor in config.input}
    check_detector(card, inputs, {tensor.name for tensor in config.output})
    return card


def _card_text(config: ModelConfig) -> str:
    if "card" not in config.parameters:
        raise ValueError("it has no card: its config.pbtxt has no parameter `card`")
    return str(config.parameters["card"].string_value)


def _folder(path: Path) -> Folder:
    stamp = _stamp(path)
    tops = {name.split("/")[0] for name, _, _ in stamp}
    versions = tuple(sorted({int(top) for top in tops if top.isascii() and top.isdigit()}, reverse=True))
    folder = Folder(path.name, stamp, versions)
    try:
        config = text_format.Parse((path / "config.pbtxt").read_text(), ModelConfig(), allow_unknown_field=True)
        return replace(folder, config=config, card=_checked(path, folder, config))
    except FileNotFoundError:
        refusal = "it has no config.pbtxt" if model_of(path.name) else NOT_OURS
    except text_format.ParseError as error:
        refusal = f"its config.pbtxt cannot be read: {error}"
    except (ValueError, OSError) as error:  # pydantic's errors are ValueErrors
        refusal = " ".join(str(error).split())
    return replace(folder, refusal=refusal)


def _checked(path: Path, folder: Folder, config: ModelConfig) -> Card | None:
    """Returns the card of a frame network. Raises ValueError where the folder cannot be served."""
    if not model_of(path.name):
        raise ValueError(NOT_OURS)
    if config.name not in ("", path.name):
        raise ValueError(f"its config.pbtxt is that of {config.name}")
    if not folder.versions:
        raise ValueError("it has no version folder, such as 1/, with a model in it")
    file = config.default_model_filename or _MODEL_FILES.get(config.backend)
    newest = path / str(folder.versions[0])
    if file is not None and not (newest / file).exists():
        raise ValueError(f"its version folder {newest.name}/ has no {file}")
    if path.name == PERSON_NETWORK:
        detector_card_in(config)
    return card_in(config, path.name) if path.name.endswith(FRAME_SUFFIX) else None


def _missing(folder: Folder, folders: dict[str, Folder]) -> str | None:
    """Returns why a folder that is right by itself cannot be served beside the others."""
    model = model_of(folder.name)
    if folder.card is not None and folder.card.clip is not None:
        clip = folders.get(model + CLIP_SUFFIX)
        if clip is None:
            return f"its card promises actions, and there is no {model}{CLIP_SUFFIX}"
        return f"{clip.name} is refused" if clip.refusal else None
    if folder.name.endswith(CLIP_SUFFIX) and model + FRAME_SUFFIX not in folders:
        return f"there is no {model}{FRAME_SUFFIX}"
    return None


def _stamp(path: Path) -> Stamp:
    files = []
    for folder, _, names in os.walk(path, followlinks=True):
        for name in names:
            file = Path(folder, name)
            try:
                status = file.stat()
            except OSError:  # removed in between, or a link to itself: Triton cannot read it either
                continue
            files.append((str(file.relative_to(path)), status.st_mtime_ns, status.st_size))
    return tuple(sorted(files))
