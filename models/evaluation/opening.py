"""From the options of a command to a data set, a target and the protocol that fits both."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.datasets.catalogue import module_of, open_split
from models.datasets.samples import Dataset
from models.evaluation.problem import EvaluationProblem
from models.evaluation.protocols.actions import ActionProtocol, ClipSettings
from models.evaluation.protocols.coco import CocoProtocol
from models.evaluation.protocols.h36m import H36mProtocol
from models.evaluation.protocols.lsp import LspProtocol
from models.evaluation.protocols.mpii import MpiiProtocol
from models.evaluation.protocols.people import Asking, AskingCrops, AskingPictures
from models.evaluation.protocols.protocol import Protocol
from models.evaluation.protocols.whole_clips import WholeClipProtocol
from models.evaluation.run import Asked
from models.evaluation.targets.gateway import GatewayTarget
from models.evaluation.targets.opening import open_target
from models.evaluation.targets.outputs import CropTarget

GATEWAY = "gateway"
FPS = 30  # of Penn Action and NTU RGB+D, nearly
SPLITS = {  # that the papers evaluate on
    "mpii": "val", "lsp": "test", "lspet": "train", "coco": "val2017", "h36m": "val", "penn": "test", "ntu": "test",
}  # fmt: skip
OF_PEOPLE = {
    "mpii": MpiiProtocol, "lsp": LspProtocol, "lspet": LspProtocol, "coco": CocoProtocol, "h36m": H36mProtocol,
}  # fmt: skip
# As the original evaluates its networks: frames of a clip, subsampling, every how manieth frame, all clips or one.
CLIPS = {
    ("penn", "penn"): ClipSettings(8, 6),
    ("penn", "penn-cvpr18"): ClipSettings(16, 2),
    ("ntu", "ntu"): ClipSettings(8, 4, every=2),
    ("ntu", "ntu-cvpr18"): ClipSettings(20, 2, multi=False),
}


@dataclass(frozen=True)
class Wanted:
    """The options of `deephar-models evaluate`."""

    dataset: str
    model: str
    data: Path
    target: str
    split: str | None
    views: str
    boxes: str | None
    subjects: str
    repository: Path
    cache: Path
    batch: int


@contextmanager
def opened(wanted: Wanted) -> Iterator[Asked]:
    """What is wanted, opened; the target is closed at the end.

    Raises:
        DataProblem: The folder is not that of the data set.
        TargetProblem: The model is missing, or the target does not answer.
        EvaluationProblem: The model and the data set do not fit, or an option does not.
    """
    if not wanted.data.is_dir():
        raise EvaluationProblem(f"{wanted.data} is no folder; --data is that of {wanted.dataset}")
    dataset, settings = _dataset(wanted)
    if wanted.target == GATEWAY:
        with closing(GatewayTarget(wanted.model)) as gateway:
            protocol = _of_gateway(wanted, gateway, dataset)
            protocol.settings = {**settings, **protocol.settings}
            yield Asked(dataset, protocol, wanted.model, GATEWAY, gateway.sha256, gateway.software)
        return
    with closing(
        open_target(wanted.target, wanted.model, repository=wanted.repository, cache=wanted.cache, batch=wanted.batch)
    ) as target:
        protocol = _of_crops(wanted, target, dataset)
        protocol.settings = {**settings, **protocol.settings}
        yield Asked(dataset, protocol, wanted.model, target.name, target.sha256, target.software)


def _dataset(wanted: Wanted) -> tuple[Dataset[Any], dict[str, Any]]:
    """The split, and the settings that say which."""
    name, splits = wanted.dataset, module_of(wanted.dataset).SPLITS
    split = wanted.split or SPLITS[name]
    if split not in splits:
        raise EvaluationProblem(f"{name} has no split {split}, but {', '.join(splits)}")
    settings: dict[str, Any] = {"split": split}
    options: dict[str, Any] = {}
    if name in ("penn", "ntu"):
        options["boxes"], settings["boxes"] = _boxes(wanted.boxes)
    elif wanted.boxes is not None:
        raise EvaluationProblem("--boxes is for penn and ntu")
    if name == "ntu":
        options["protocol"] = settings["subjects"] = wanted.subjects
    return open_split(name, wanted.data, split, **options), settings


def _boxes(given: str | None) -> tuple[str | Path, str]:
    """Where windows of clips come from, and what the record calls it."""
    if given in (None, "annotated", "image"):
        return given or "annotated", given or "annotated"
    file = Path(given)
    if not file.is_file():
        raise EvaluationProblem(f"{file} is no file; --boxes is annotated, image or a file with predicted boxes")
    return file, f"predicted, sha256 {hashlib.sha256(file.read_bytes()).hexdigest()[:12]}"


def _of_crops(wanted: Wanted, target: CropTarget, dataset: Dataset[Any]) -> Protocol[Any]:
    base = wanted.model.partition("@")[0]
    if wanted.dataset in OF_PEOPLE:
        return _of_people(wanted.dataset, AskingCrops(target, wanted.views), dataset)
    _check_labels(wanted, target.card.labels, dataset)
    clip = CLIPS.get((wanted.dataset, base))
    if clip is None:
        clip = ClipSettings(target.clip_frames, max(1, round(target.card.interval_s * FPS)))
    return ActionProtocol(target, clip, dataset.labels)


def _of_gateway(wanted: Wanted, gateway: GatewayTarget, dataset: Dataset[Any]) -> Protocol[Any]:
    margin = float(gateway.model.card["crop"]["margin"])
    if wanted.dataset in OF_PEOPLE:
        if wanted.views != "single":
            raise EvaluationProblem("--views multi needs crops; the gateway takes whole pictures")
        return _of_people(wanted.dataset, AskingPictures(gateway, margin), dataset)
    _check_labels(wanted, gateway.labels, dataset)
    return WholeClipProtocol(gateway, dataset.labels, FPS, margin)


def _of_people(name: str, asking: Asking, dataset: Dataset[Any]) -> Protocol[Any]:
    made: Protocol[Any] = OF_PEOPLE[name](asking, dataset.labels)
    return made


def _check_labels(wanted: Wanted, labels: tuple[str, ...], dataset: Dataset[Any]) -> None:
    if len(labels) != len(dataset.labels):
        knows = f"{len(labels)} other actions" if labels else "no actions"
        raise EvaluationProblem(
            f"{wanted.model} knows {knows}; {wanted.dataset} has {len(dataset.labels)} and needs a model of them"
        )
