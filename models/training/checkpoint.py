"""A training's checkpoint: all that the same command needs to go on as if it had never stopped.

Random numbers need no state of their own: those of a step follow from seed, step and process (`seed_step`).
"""

from __future__ import annotations

import fcntl
import io
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.files.whole_file import remove_halves, write_whole
from models.training.problem import CannotTrain
from models.training.recipe import Recipe

LAST, BEST = "checkpoint.pt", "best.pt"
FORMAT = 1


@dataclass(frozen=True)
class Position:
    """The next step: all counts are from 0."""

    phase: int = 0
    epoch: int = 0  # of the phase
    step: int = 0  # of the epoch
    total: int = 0  # steps made since the training began


@dataclass(frozen=True)
class Origin:
    """What a training is; a checkpoint of another one is not resumed."""

    recipe: str  # its name, which is that of the network
    fingerprint: str  # the recipe's
    data: dict[str, str]  # fingerprints by data set
    seed: int
    started_from: str  # what `--init` named, with its sum; "" for random weights

    @classmethod
    def of(cls, recipe: Recipe, sources: Mapping[str, Any], seed: int, started_from: str) -> Origin:
        data = {name: source.fingerprint() for name, source in sorted(sources.items())}
        return cls(recipe.name, recipe.fingerprint(), data, seed, started_from)


def write(file: Path, origin: Origin, position: Position, state: dict[str, Any]) -> None:
    packed = io.BytesIO()
    torch.save({"format": FORMAT, "origin": asdict(origin), "position": asdict(position), **state}, packed)
    write_whole(file, packed.getbuffer())


def read(file: Path) -> dict[str, Any]:
    """A checkpoint, on the CPU, with its Origin and Position.

    Raises:
        CannotTrain: It is damaged, or something else.
    """
    try:
        found: dict[str, Any] = torch.load(file, map_location="cpu", weights_only=True)
        known = found["format"]
        if known == FORMAT:
            return found | {"origin": Origin(**found["origin"]), "position": Position(**found["position"])}
    except FileNotFoundError:
        raise
    except Exception:  # torch says the same thing in many ways
        raise CannotTrain(f"{file} is damaged, or no checkpoint of a training") from None
    raise CannotTrain(f"{file} is of format {known}, which this version does not know (it knows {FORMAT})")


def resumable(file: Path, origin: Origin) -> dict[str, Any]:
    """A checkpoint of the training that `origin` tells.

    Raises:
        CannotTrain: It is of another training, or damaged.
    """
    found = read(file)
    theirs: Origin = found["origin"]
    if not origin.started_from:  # the checkpoint has its weights, so --init need not be said again
        origin = replace(origin, started_from=theirs.started_from)
    other = next((name for name, value in asdict(origin).items() if asdict(theirs)[name] != value), None)
    if other is None:
        return found
    was, now = _told(theirs, other), _told(origin, other)
    raise CannotTrain(
        f"{file} is of another training: {was}, and now {now}. Take another --out, or --init {file} to start from its "
        "weights"
    )


def _told(origin: Origin, what: str) -> str:
    match what:
        case "fingerprint":
            return f"the recipe {origin.recipe} with the fingerprint {origin.fingerprint[:12]}"
        case "data":
            return "data " + (", ".join(f"{name} {known[:12]}" for name, known in origin.data.items()) or "none")
        case "started_from":
            return f"started from {origin.started_from or 'random weights'}"
    return f"{what} {getattr(origin, what)}"


def provenance(found: dict[str, Any]) -> str:
    """What a model's card says about a checkpoint's weights."""
    origin: Origin = found["origin"]
    data = ", ".join(f"{name} (sha256 {known})" for name, known in origin.data.items())
    begun = f", started from {origin.started_from}" if origin.started_from else ""
    steps = f"{found['position'].total} steps, {found['progress']}"
    return f"trained here by the recipe {origin.recipe} (sha256 {origin.fingerprint}) on {data}: {steps}{begun}"


@contextmanager
def only_one(folder: Path) -> Iterator[None]:
    """The folder, which is made where it is missing, is this process' until the end.

    Raises:
        CannotTrain: Another process trains into it.
    """
    # A POSIX lock: children do not have it, so that those of a killed training do not keep its folder.
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise CannotTrain(f"another training runs in {folder}") from None
        for name in (LAST, BEST):
            remove_halves(folder / name)
        yield


def seed_step(seed: int, total: int, rank: int) -> None:
    """Random numbers from here on follow from the arguments alone."""
    mixed = int(np.random.SeedSequence((seed, total, rank)).generate_state(1)[0])
    torch.manual_seed(mixed)
    random.seed(mixed)
    np.random.seed(mixed)
