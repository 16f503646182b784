"""From videos and labels to a served model, step by step."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from deephar import Client, DeepharError
from tqdm import tqdm

from models.files.folder_swap import put_in_place
from models.lite.clip.network import ClipNetwork, ServedClip
from models.own_actions import asking, base, evaluation, exporting, labels, report, trial
from models.own_actions.batches import source_of
from models.own_actions.cache import TrackCache
from models.own_actions.evaluation import Figures
from models.own_actions.labels import Labelled
from models.own_actions.problem import CannotTrain
from models.own_actions.tracks import Track
from models.own_actions.training import Recipe, train

FEW_CLIPS = 5  # of an action, below which there is a warning
AGREES = 0.02  # difference of scores between the service and here: weights are rounded, and it may compute in bf16
UNAGREED_S = 10.0  # that a service has for replacing a model of the same name


@dataclass(frozen=True)
class Wanted:
    """What the user asks for; see the command's options."""

    videos: Path
    labels: Path
    name: str
    address: str
    recipe: Recipe
    out: Path
    repository: Path
    cache: Path
    api_key: str = ""
    description: str = ""
    licence: str = "not stated"
    replace: bool = False


@dataclass(frozen=True)
class Made:
    """What was made, and what the service said to it.

    Attributes:
        figures: Of held-out clips.
        folders: Of the clip and the frame network.
        tried: Name of the video that the service was asked about.
        difference: Largest one of its scores from those computed here; None: no service has taken the model up.
    """

    figures: Figures
    folders: tuple[Path, Path]
    tried: str = ""
    difference: float | None = None


def make(wanted: Wanted, told: Callable[[str], object]) -> Made:
    """Trains, evaluates and writes a model. Until all of it has worked, nothing is written but tracks to the cache.

    Args:
        wanted: By the user.
        told: Called with lines for the user.

    Raises:
        CannotTrain: Something is wrong with what was given; the text says what to do.
        OSError: A file cannot be read or written.
    """
    began = time.monotonic()
    exporting.may_be_called(wanted.name, wanted.repository, wanted.replace)
    report.may_be_written(wanted.out, wanted.replace)
    clips = labels.read(wanted.labels, wanted.videos)
    _has_enough_to_tell_apart(clips)
    evaluation.plan(clips, wanted.recipe.seed)  # tells what is lacking before any video is looked at
    network, card = base.clip_network(wanted.repository), base.card(wanted.repository)
    with Client(wanted.address, api_key=wanted.api_key or None) as client:
        tracks = _tracks(clips, client, wanted, card)
        looked_s = time.monotonic() - began
        clips, shown = _with_windows(clips, tracks, told)
        actions = labels.actions_of(clips)
        _tell_counts(clips, actions, told)
        figures, served = _trained(clips, shown, actions, network, wanted.recipe)
        trained_s = time.monotonic() - began - looked_s
        took = {"looking_s": round(looked_s, 1), "training_s": round(trained_s, 1), "clips_learned_from": len(clips)}
        folders = _written(served, actions, clips, figures, took, wanted)
        return _tried(client, served, actions, clips, tracks, Made(figures, folders), wanted)


def _has_enough_to_tell_apart(clips: Sequence[Labelled]) -> None:
    names = labels.actions_of(list(clips))
    if not names or (len(names) == 1 and not any(clip.is_none for clip in clips)):
        raise CannotTrain(
            f"there is nothing to tell apart: label clips of two actions, or of one and of {labels.NONE} of them"
        )


def _tracks(clips: Sequence[Labelled], client: Client, wanted: Wanted, card: dict[str, Any]) -> dict[Path, Track]:
    """Returns the track of each video, from the cache or the service."""
    detector = wanted.repository / "person" / "config.pbtxt"
    known = detector.read_text() if detector.is_file() else "no detector"
    cache = TrackCache(wanted.cache, card["weights_sha256"], known)
    videos = list(dict.fromkeys(clip.file for clip in clips))
    tracks = {video: track for video in videos if (track := cache.load(video)) is not None}
    missing = [video for video in videos if video not in tracks]
    if unreadable := [str(video) for video in missing if not asking.can_be_read(video)]:
        raise CannotTrain(
            f"cannot be read as a video: {', '.join(unreadable)}; convert it, or take its lines out of the CSV"
        )
    if missing:
        asking.check_service(client, card["weights"])
    for video in tqdm(missing, desc="looking", unit="video", disable=None if missing else True):
        tracks[video] = asking.track_of(client, video)
        cache.keep(video, tracks[video])
    return tracks


def _with_windows(
    clips: Sequence[Labelled], tracks: dict[Path, Track], told: Callable[[str], object]
) -> tuple[list[Labelled], list[Track]]:
    """Returns the clips in which a person is seen for long enough, and their tracks; the others are told."""
    used, shown = [], []
    for clip in clips:
        track = tracks[clip.file].between(clip.start_s, clip.end_s)
        if len(track.windows()):
            used.append(clip)
            shown.append(track)
        else:
            told(f"warning: {clip} is left out: nobody is seen in it for 1.2 s or more")
    if not used:
        raise CannotTrain("in none of the clips a person is seen for 1.2 s or more")
    _has_enough_to_tell_apart(used)
    if lost := set(labels.actions_of(list(clips))) - set(labels.actions_of(used)):
        raise CannotTrain(f"no clip of {', '.join(sorted(lost))} shows a person for 1.2 s or more")
    return used, shown


def _tell_counts(clips: Sequence[Labelled], actions: tuple[str, ...], told: Callable[[str], object]) -> None:
    counts = Counter(clip.label for clip in clips)
    told(", ".join(f"{name}: {counts[name]}" for name in (*actions, labels.NONE) if counts[name]) + " clips")
    if few := [name for name in actions if counts[name] < FEW_CLIPS]:
        told(f"warning: fewer than {FEW_CLIPS} clips of {', '.join(few)}: the figures will say little")
    if not counts[labels.NONE]:
        told(
            f"warning: no clips of {labels.NONE}: that none of the actions is shown is learned from made movements only"
        )


def _trained(
    clips: Sequence[Labelled],
    tracks: Sequence[Track],
    actions: tuple[str, ...],
    network: ClipNetwork,
    recipe: Recipe,
) -> tuple[Figures, ServedClip]:
    """Returns the figures of held-out clips, and the network that is served."""
    plan = evaluation.plan(clips, recipe.seed)
    classes = [*actions, labels.NONE]
    truth = np.array([classes.index(clip.label) for clip in clips])
    final_is_evaluated = len(plan.folds) == 1 and len(plan.final) == len(plan.folds[0][0])
    trainings = len(plan.folds) + (not final_is_evaluated)
    with tqdm(total=trainings * recipe.steps, desc="training", unit="step", disable=None) as bar:

        def learned(chosen: Sequence[int]) -> ServedClip:
            source = source_of([tracks[i] for i in chosen], [int(truth[i]) for i in chosen])
            return train(network, source, len(actions), recipe, bar.update)

        tested, scores = [], []
        for of_training, of_test in plan.folds:
            served = learned([*of_training])
            tested.append(of_test)
            scores.append(evaluation.scores_of_clips(served, [tracks[i] for i in of_test]))
        if not final_is_evaluated:
            served = learned([*plan.final])
    order = np.concatenate(tested)
    return Figures(actions, tuple(clips[i] for i in order), truth[order], np.concatenate(scores), plan.how), served


def _written(
    served: ServedClip,
    actions: tuple[str, ...],
    clips: Sequence[Labelled],
    figures: Figures,
    took: dict[str, Any],
    wanted: Wanted,
) -> tuple[Path, Path]:
    counts = Counter(clip.label for clip in clips)
    low, high = figures.interval
    words = {
        "description": wanted.description or f"actions of one's own on lite's keypoints: {', '.join(actions)}",
        "weights": f"frame network: lite's. Clip network: started from lite's as it is stored in fp16, with a new "
        f"classifier, trained by deephar-models train-actions on {len(clips)} clips ("
        + ", ".join(f"{name} {counts[name]}" for name in sorted(counts))
        + f"); {figures.right} of {len(figures.clips)} held-out clips right, 95 % interval {low:.0%} to {high:.0%}",
        "licence": f"{wanted.licence}; frame network and start of the clip network: see lite's",
    }
    wanted.out.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=wanted.out.absolute().parent, prefix=".deephar-train-") as stage:
        report.write(figures, {"model": wanted.name, "recipe": vars(wanted.recipe)} | took, Path(stage) / "report")
        folders = exporting.write(served, wanted.name, actions, wanted.repository, words)
        put_in_place(Path(stage) / "report", wanted.out)
    return folders


def _tried(
    client: Client,
    served: ServedClip,
    actions: tuple[str, ...],
    clips: Sequence[Labelled],
    tracks: dict[Path, Track],
    made: Made,
    wanted: Wanted,
) -> Made:
    """Returns what was made with what a running service says of one of the videos."""
    video = clips[0].file
    if not len(tracks[video].windows()) or not trial.taken_up(client, wanted.name, actions):
        return made
    (here,) = evaluation.scores_of_clips(served, [tracks[video]])
    deadline = time.monotonic() + UNAGREED_S
    difference = None
    while difference is None or (difference > AGREES and time.monotonic() < deadline):
        try:
            there = trial.scores_through_service(client, wanted.name, actions, video)
        except DeepharError:
            return made
        if there is None:
            return made
        difference = float(np.abs(there - here).max())
    return Made(made.figures, made.folders, video.name, difference)
