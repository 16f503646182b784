"""From the options of a command to a data set, a target and the protocol that fits both."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from operator import eq
from pathlib import Path
from typing import Any

from models.datasets.boxes import OWN_CLIP_BOXES, OWN_FRAME_BOXES
from models.datasets.catalogue import module_of, open_split
from models.datasets.published import PENN_CLIP_BOXES, PENN_FRAME_BOXES
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
from models.files.checksums import sha256_of
from models.protocol.joints import PA17, PA20

GATEWAY = "gateway"
FPS = 30  # of Penn Action and NTU RGB+D, nearly
SPLITS = {  # that the papers evaluate on
    "mpii": "val", "lsp": "test", "lspet": "train", "coco": "val2017", "h36m": "val", "penn": "test", "ntu": "test",
}  # fmt: skip
OF_PEOPLE = {
    "mpii": MpiiProtocol, "lsp": LspProtocol, "lspet": LspProtocol, "coco": CocoProtocol, "h36m": H36mProtocol,
}  # fmt: skip
LEEDS = ("lsp", "lspet")
# As the original evaluates its networks.
CLIPS = {
    ("penn", "penn"): ClipSettings(8, 6),
    ("penn", "penn-cvpr18"): ClipSettings(16, 2),
    ("ntu", "ntu"): ClipSettings(8, 4, every=2),
    ("ntu", "ntu-cvpr18"): ClipSettings(20, 2, multi=False),
}
# Files of predicted boxes in the folder of Penn Action: the authors', then one's own.
BOXES = {
    "penn": (PENN_FRAME_BOXES.name, OWN_FRAME_BOXES),
    "penn-cvpr18": (PENN_CLIP_BOXES.name, OWN_CLIP_BOXES),
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

    @property
    def base(self) -> str:
        """The model without its cut."""
        return self.model.partition("@")[0]


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
    if wanted.target == GATEWAY:
        with closing(GatewayTarget(wanted.model)) as gateway:
            dataset, settings, notes = _dataset(wanted, gateway.margin)
            protocol = _of_gateway(wanted, gateway, dataset)
            protocol.settings, protocol.notes = {**settings, **protocol.settings}, notes
            yield Asked(dataset, protocol, wanted.model, GATEWAY, gateway.sha256, gateway.software)
        return
    with closing(
        open_target(wanted.target, wanted.model, repository=wanted.repository, cache=wanted.cache, batch=wanted.batch)
    ) as target:
        dataset, settings, notes = _dataset(wanted, target.card.margin)
        protocol = _of_crops(wanted, target, dataset)
        protocol.settings, protocol.notes = {**settings, **protocol.settings}, notes
        yield Asked(dataset, protocol, wanted.model, target.name, target.sha256, target.software)


def protocol_of_crops(wanted: Wanted, target: CropTarget) -> tuple[Dataset[Any], Protocol[Any]]:
    """The data set, and its protocol on a target of crops that is open.

    Raises:
        DataProblem: The folder is not that of the data set.
        EvaluationProblem: The model and the data set do not fit, or an option does not.
    """
    dataset, _, _ = _dataset(wanted, target.card.margin)
    return dataset, _of_crops(wanted, target, dataset)


def _dataset(wanted: Wanted, margin: float) -> tuple[Dataset[Any], dict[str, Any], tuple[str, ...]]:
    """The split, the settings that say which, and notes on it."""
    name, splits = wanted.dataset, module_of(wanted.dataset).SPLITS
    split = wanted.split or SPLITS[name]
    if split not in splits:
        raise EvaluationProblem(f"{name} has no split {split}, but {', '.join(splits)}")
    settings: dict[str, Any] = {"split": split}
    options: dict[str, Any] = {}
    notes: tuple[str, ...] = ()
    if name in LEEDS:
        options["around"] = settings["around"] = _around(wanted.boxes)
    elif name in OF_PEOPLE and wanted.boxes is not None:
        raise EvaluationProblem("--boxes is for penn, ntu, lsp and lspet")
    if name not in OF_PEOPLE:
        options["boxes"], settings["boxes"], notes = _boxes(wanted, split)
    if name == "coco" or settings.get("around") == "joints":
        options["margin"] = settings["margin"] = margin
    if name == "ntu":
        options["protocol"] = settings["subjects"] = wanted.subjects
        clip = CLIPS.get((name, wanted.base))
        # The gateway samples frames itself.
        options["every"] = clip.every if clip and wanted.target != GATEWAY else 1
        options["window_joints"] = PA20 if wanted.base == "ntu-cvpr18" else PA17
    return open_split(name, wanted.data, split, **options), settings, notes


def _around(boxes: str | None) -> str:
    """What the windows of Leeds Sports Pose enclose."""
    match boxes:
        case None | "image":
            return "picture"
        case "annotated":
            return "joints"
    raise EvaluationProblem(f"Leeds Sports Pose has no file of boxes: --boxes is annotated or image, not {boxes}")


def _boxes(wanted: Wanted, split: str) -> tuple[str | Path, str, tuple[str, ...]]:
    """Where windows of clips come from, what the record calls it, and a note where the original has others."""
    if wanted.boxes in ("annotated", "image"):
        return wanted.boxes, wanted.boxes, ()
    usual = [wanted.data / name for name in (BOXES[wanted.base] if _predicts(wanted, split) else ())]
    file = Path(wanted.boxes) if wanted.boxes else next((file for file in usual if file.is_file()), None)
    if file is None:
        missing = " and no ".join(file.name for file in usual)
        note = (
            f"The original takes predicted boxes; {wanted.data} has no {missing}: annotated ones are taken. "
            "deephar-models data boxes penn makes them."
        )
        return "annotated", "annotated", (note,) if usual else ()
    if not file.is_file():
        raise EvaluationProblem(f"{file} is no file; --boxes is annotated, image or a file with predicted boxes")
    return file, f"predicted, {file.name}, sha256 {sha256_of(file)[:12]}", ()


def _predicts(wanted: Wanted, split: str) -> bool:
    """Whether the original's evaluation takes predicted boxes."""
    return wanted.dataset == "penn" and split == "test" and wanted.base in BOXES


def _of_crops(wanted: Wanted, target: CropTarget, dataset: Dataset[Any]) -> Protocol[Any]:
    if wanted.dataset in OF_PEOPLE:
        _check_depth(wanted, target.card.dims)
        return _of_people(wanted.dataset, AskingCrops(target, wanted.views), dataset)
    _check_labels(wanted, target.card.labels, dataset)
    clip = CLIPS.get((wanted.dataset, wanted.base))
    if clip is None:
        clip = ClipSettings(target.clip_frames, max(1, round(target.card.interval_s * FPS)))
    return ActionProtocol(target, clip, dataset.labels)


def _of_gateway(wanted: Wanted, gateway: GatewayTarget, dataset: Dataset[Any]) -> Protocol[Any]:
    margin = gateway.margin
    if wanted.dataset in OF_PEOPLE:
        if wanted.views != "single":
            raise EvaluationProblem("--views multi needs crops; the gateway takes whole pictures")
        _check_depth(wanted, gateway.model.dimensions)
        return _of_people(wanted.dataset, AskingPictures(gateway, margin), dataset)
    _check_labels(wanted, gateway.labels, dataset)
    return WholeClipProtocol(gateway, dataset.labels, FPS, margin)


def _of_people(name: str, asking: Asking, dataset: Dataset[Any]) -> Protocol[Any]:
    made: Protocol[Any] = OF_PEOPLE[name](asking, dataset.labels)
    return made


def _check_depth(wanted: Wanted, dims: int) -> None:
    if wanted.dataset == "h36m" and dims != 3:
        raise EvaluationProblem(f"{wanted.model} finds 2D poses only; Human3.6M needs h36m, ntu, ntu-cvpr18 or lite")


def _check_labels(wanted: Wanted, labels: tuple[str, ...], dataset: Dataset[Any]) -> None:
    # An annotation file may spell one in another way; in another order they are another model's.
    same = sum(map(eq, labels, dataset.labels))
    if len(labels) != len(dataset.labels) or 2 * same < len(labels):
        knows = f"{len(labels)} other actions" if labels else "no actions"
        raise EvaluationProblem(
            f"{wanted.model} knows {knows}; {wanted.dataset} has {len(dataset.labels)} and needs a model of them"
        )
