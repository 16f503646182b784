"""How well own actions are told apart in clips that the network has not seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

import numpy as np

from models.lite.clip.data import Floats, Ints
from models.lite.clip.network import ServedClip
from models.own_actions.labels import Labelled
from models.own_actions.problem import CannotTrain
from models.own_actions.tracks import Track
from models.own_actions.training import scores_of

MOST_FOLDS = 5
ENOUGH_GROUPS = 25  # of each action, from which one of five parts is held out, instead of each in turn
Z_95 = 1.959964  # of the normal distribution, for an interval of 95 %


@dataclass(frozen=True)
class Figures:
    """What was found on held-out clips.

    Attributes:
        actions: Their labels.
        clips: N held-out ones.
        labels: (N,) indices of actions; their number stands for none of them.
        scores: (N, A), the mean over each clip's windows.
        how: Which clips were held out, in words.
    """

    actions: tuple[str, ...]
    clips: tuple[Labelled, ...]
    labels: Ints
    scores: Floats
    how: str

    @property
    def named(self) -> Ints:
        """(N,) what has the highest score; what all scores lack to 1 is that of none of the actions."""
        whole = np.concatenate([self.scores, 1 - self.scores.sum(1, keepdims=True)], axis=1)
        return np.asarray(whole.argmax(1))

    @property
    def right(self) -> int:
        return int((self.named == self.labels).sum())

    @property
    def top1(self) -> float:
        """The share of the clips, those of none of the actions counted, that are named as they are labelled."""
        return self.right / len(self.clips)

    @property
    def interval(self) -> tuple[float, float]:
        """Of `top1`, with 95 %."""
        return wilson(self.right, len(self.clips))

    def confusion(self) -> Ints:
        """Returns counts (A + 1, A + 1): labels in rows, what was named in columns, none of the actions last."""
        counts = np.zeros((len(self.actions) + 1,) * 2, np.int64)
        np.add.at(counts, (self.labels, self.named), 1)
        return counts


def wilson(right: int, count: int) -> tuple[float, float]:
    """Returns Wilson's interval of a share with 95 %, which holds for few clips and for shares near 0 and 1 too."""
    share, spread = right / count, Z_95**2 / count
    middle = (share + spread / 2) / (1 + spread)
    half = Z_95 * sqrt(share * (1 - share) / count + spread / (4 * count)) / (1 + spread)
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Plan:
    """Which clips are held out: for each training to be evaluated, the indices of those to train on and to test on."""

    folds: tuple[tuple[Ints, Ints], ...]
    final: Ints  # those that the served network learns from
    how: str


def plan(clips: Sequence[Labelled], seed: int) -> Plan:
    """Returns which clips are held out, so that no group is on both sides.

    Raises:
        CannotTrain: An action has too few clips to learn from some and test on others.
    """
    everything = np.arange(len(clips))
    if clips[0].split:
        is_test = np.array([clip.split == "test" for clip in clips])
        for name in sorted({clip.label for clip in clips if not clip.is_none}):
            if not any(clip.label == name and clip.split == "train" for clip in clips):
                raise CannotTrain(f"no clip of {name!r} is in the split train")
        if not is_test.any():
            raise CannotTrain("no clip is in the split test; without a column split some are held out by the command")
        return Plan(((everything[~is_test], everything[is_test]),), everything[~is_test], "the CSV's split")
    groups: dict[str, set[str]] = {}
    for clip in clips:
        if not clip.is_none:
            groups.setdefault(clip.label, set()).add(clip.group)
    for name, those in groups.items():
        if len(those) < 2:
            raise CannotTrain(
                f"all clips of {name!r} are of one video or group: at least two are needed, one to learn from and one "
                "to test on; five to ten are better"
            )
    fewest, most = (choose(map(len, groups.values())) for choose in (min, max))
    count = min(MOST_FOLDS, most)
    of_group = _dealt(clips, count, seed)
    parts = np.array([of_group[clip.group] for clip in clips])
    used = range(1) if fewest >= ENOUGH_GROUPS else range(count)
    folds = tuple((everything[parts != part], everything[parts == part]) for part in used)
    _each_learns_all(clips, folds)
    how = f"one of {count} parts" if len(used) == 1 else f"each of {count} parts in turn (cross-validation)"
    return Plan(folds, everything, how)


def _dealt(clips: Sequence[Labelled], count: int, seed: int) -> dict[str, int]:
    """Returns the part of each group: the groups of each label are dealt like cards, the rarest label first."""
    rng = np.random.default_rng(seed)
    sizes = {label: len({c.group for c in clips if c.label == label}) for label in {c.label for c in clips}}
    dealt: dict[str, int] = {}
    taken = 0
    for label in sorted(sizes, key=lambda name: (sizes[name], name)):
        groups = sorted({clip.group for clip in clips if clip.label == label} - dealt.keys())
        for group in rng.permutation(groups) if groups else ():
            dealt[str(group)] = taken % count
            taken += 1
    return dealt


def _each_learns_all(clips: Sequence[Labelled], folds: Sequence[tuple[Ints, Ints]]) -> None:
    actions = {clip.label for clip in clips if not clip.is_none}
    for learned, _ in folds:
        if lacking := actions - {clips[i].label for i in learned}:
            raise CannotTrain(
                f"the clips of {', '.join(sorted(lacking))} share their groups with others so that they cannot be "
                "split; give a column split"
            )


def scores_of_clips(served: ServedClip, tracks: Sequence[Track]) -> Floats:
    """Returns the scores (N, A) of clips, each with a window: the means over their windows, as the service has them."""
    windows = [track.windows() for track in tracks]
    seen = [track.features(these) for track, these in zip(tracks, windows, strict=True)]
    features, boxes = (np.concatenate([part[i] for part in seen]) for i in (0, 1))
    owners = np.repeat(np.arange(len(tracks)), [len(these) for these in windows])
    scores = scores_of(served, features, boxes)
    sums = np.zeros((len(tracks), scores.shape[1]), np.float64)
    np.add.at(sums, owners, scores)
    return (sums / np.bincount(owners)[:, None]).astype(np.float32)
