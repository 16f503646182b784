"""Training batches: random windows of the labelled clips, and windows of the background class made from them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from models.lite import platt
from models.lite.clip.batches import pick, vary
from models.lite.clip.data import (
    Bools,
    Clips,
    Floats,
    Ints,
    Windows,
    body_middle,
    cut,
    join,
    person_crop,
    random_window,
    to_features,
    windows_of,
)
from models.lite.clip.frame_errors import MARGIN, FrameErrors
from models.lite.clip.negatives import Negatives, at_times, empty_crops
from models.lite.layout import BODY_FLIP
from models.own_actions.tracks import Track
from service.networks.score_rule import logit

RATE = 30  # joints a second after interpolation: what random windows are cut from
STILL = 0.12  # torsos that the joints of a held pose move, root mean square; of an action that moves it is more
MADE = {"shuffled": 0.4, "held": 0.35, "wandering": 0.25}  # shares of the windows that are made for the background
MADE_WHERE_STILL = {"wandering": 1.0}  # where an action may be a held pose, held and shuffled frames show it too


@dataclass(frozen=True)
class Source:
    """What windows are drawn from: clips at `RATE`, and the scores (F, 13) of their joints."""

    clips: Clips
    scores: Floats
    moves: Bools  # (N,) whether the clip's joints move much


def source_of(tracks: list[Track], labels: list[int]) -> Source:
    """Returns the source of labelled tracks, of which each has a window.

    Joints between two samples are interpolated, so that windows can begin anywhere and be faster or slower.
    """
    joints, scores, lengths = [], [], []
    for track in tracks:
        windows = track.windows(hop=1)
        used = np.unique(windows)
        times = (track.time_s[used] - track.time_s[used[0]]) * RATE
        wanted = np.arange(int(times[-1]) + 1, dtype=np.float32)
        places = np.interp(wanted, times, np.arange(len(used))).astype(np.float32)
        joints.append(at_times(track.joints[used], places))
        scores.append(at_times(track.scores[used], places))
        lengths.append(len(wanted))
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    everything = np.concatenate(joints)
    known = np.ones(everything.shape[:2], bool)
    clips = Clips(everything, known, known, offsets, np.array(labels, np.int64))
    moves = np.array([movement(track) > STILL for track in tracks])
    return Source(clips, np.concatenate(scores), moves)


def movement(track: Track) -> float:
    """Returns how far a person's joints are from their mean places in a window, root mean square, in torsos."""
    joints = track.joints[track.windows()]
    windows = windows_of(joints, *(np.ones(joints.shape[:3], bool),) * 2)
    still = body_middle(joints)
    pose = joints - still
    spread = np.sqrt(((pose - pose.mean(1, keepdims=True)) ** 2).sum(-1).mean((1, 2)))
    return float(np.median(spread / windows.torso))


class OwnBatches:
    """Draws batches.

    All classes are drawn equally often, also the background where there are clips of it. Half of the windows keep the
    scores that the service gave, the others get errors and scores of a simulated frame network.
    """

    MADE_SHARE = 0.1  # windows of the background class that are made from the clips
    EMPTY = 0.03  # windows without a person
    SIMULATED = 0.4
    MAX_SEVERITY = 0.5
    JITTER = (0.0, 0.04)  # torsos

    def __init__(self, source: Source, background: int, mirror: bool, batch: int, rng: np.random.Generator) -> None:
        self.source, self.background, self.mirror, self.batch, self.rng = source, background, mirror, batch, rng
        clips = source.clips
        self.lengths = np.diff(clips.offsets)
        weight = np.sqrt(self.lengths)
        frequency = np.bincount(clips.labels, weights=weight, minlength=background + 1)
        self.weight = weight / frequency[clips.labels] / (frequency > 0).sum()
        every_action_moves = all(
            source.moves[clips.labels == label].mean() >= 0.5 for label in np.unique(clips.labels) if label < background
        )
        self.made = MADE if every_action_moves else MADE_WHERE_STILL
        # All are drawn from for the background: none has the label that stands for a still action there.
        unlabelled = Clips(clips.joints, clips.visible, clips.inside, clips.offsets, np.full_like(clips.labels, -1))
        self.negatives = Negatives([], unlabelled, rng)

    def draw(self) -> tuple[Floats, Floats, Ints]:
        """One batch: features (B, 16, 48), boxes (B, 16, 4), labels (B,)."""
        rng, clips = self.rng, self.source.clips
        empty, made = round(self.EMPTY * self.batch), round(self.MADE_SHARE * self.batch)
        shown, shown_scores, chosen = self._shown(self.batch - empty - made)
        windows, scores = [shown], [shown_scores]
        for kind, count in zip(self.made, rng.multinomial(made, list(self.made.values())), strict=True):
            if count:
                windows.append(self.negatives.of_kind(kind, int(count)))
                scores.append(self._shown(int(count))[1])  # somebody's: they do not tell what is made
        labels = np.concatenate([clips.labels[chosen], np.full(made, self.background)])
        features, boxes, order = self._seen(join(windows), np.concatenate(scores))
        parts = (features, boxes), empty_crops(rng, empty)
        features, boxes = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        return features, boxes, np.concatenate([labels[order], np.full(empty, self.background)])

    def _shown(self, count: int) -> tuple[Windows, Floats, Ints]:
        """Returns random windows of the clips, their scores (B, 16, 13) and which clips they are of."""
        rng, clips = self.rng, self.source.clips
        chosen = rng.choice(len(clips), count, p=self.weight)
        frames = np.stack([clips.offsets[c] + random_window(int(self.lengths[c]), rng) for c in chosen])
        return cut(clips, frames), self.source.scores[frames], chosen

    def _seen(self, windows: Windows, scores: Floats) -> tuple[Floats, Floats, Ints]:
        """Returns features and boxes of augmented windows, in another order, and that order."""
        rng, count = self.rng, len(windows.joints)
        if self.mirror:
            turned = rng.random(count) < 0.5
            joints = windows.joints[:, :, BODY_FLIP] * np.array([-1, 1], np.float32)
            windows = windows_of(
                np.where(turned[:, None, None, None], joints, windows.joints), windows.visible, windows.inside
            )
            scores = np.where(turned[:, None, None], scores[:, :, BODY_FLIP], scores)
        windows = vary(windows, rng, mirror_share=0.0)
        order = rng.permutation(count)
        kept, simulated = np.split(order, [round((1 - self.SIMULATED) * count)])
        severity = rng.uniform(0.0, self.MAX_SEVERITY, len(simulated)).astype(np.float32)
        parts = (
            self._kept(pick(windows, kept), scores[kept]),
            FrameErrors(rng).apply(pick(windows, simulated), severity)[:2],
        )
        features, boxes = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        return features, boxes, order

    def _kept(self, windows: Windows, scores: Floats) -> tuple[Floats, Floats]:
        """Returns features and boxes of windows with the service's own scores, a little jitter, and parts cut off."""
        rng, shape = self.rng, windows.joints.shape
        torso = windows.torso[:, None, None, None]
        moved = windows.joints + rng.normal(size=shape) * rng.uniform(*self.JITTER, (shape[0], 1, 1, 1)) * torso
        guess = body_middle(windows.joints) + 0.3 * torso * rng.normal(size=shape)
        joints: Floats = np.where(windows.inside[..., None], moved, guess).astype(np.float32)
        logits = logit(scores, 1e-3) + 0.3 * rng.normal(size=scores.shape) - 2.0 * ~windows.inside
        margin = rng.uniform(*MARGIN, (shape[0], 1)).astype(np.float32)
        return to_features(joints, platt.sigmoid(logits).astype(np.float32), *person_crop(joints, margin))
