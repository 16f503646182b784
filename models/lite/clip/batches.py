"""The clip network's training batches: random windows of actions and of the background class, with keypoint errors."""

from __future__ import annotations

import numpy as np

from models.lite.clip.data import BACKGROUND, Bools, Clips, Floats, Ints, Windows, cut, join, random_window, windows_of
from models.lite.clip.frame_errors import FrameErrors
from models.lite.clip.negatives import Movement, Negatives, empty_crops
from models.lite.clip.real_errors import RealErrors
from models.lite.frame.error_bank import ErrorBank
from models.lite.layout import (
    ACTIONS,
    BODY_ANKLES,
    BODY_ARMS,
    BODY_ELBOWS,
    BODY_FLIP,
    BODY_HEAD,
    BODY_HIPS,
    BODY_JOINTS,
    BODY_KNEES,
    BODY_LEGS,
    BODY_SHOULDERS,
    BODY_WRISTS,
    NUM_FRAMES,
)

# Upper arms, forearms, thighs, lower legs: near joints, far joints. From the body outwards.
BONES = (
    (BODY_SHOULDERS, BODY_ELBOWS),
    (BODY_ELBOWS, BODY_WRISTS),
    (BODY_HIPS, BODY_KNEES),
    (BODY_KNEES, BODY_ANKLES),
)
RIGHT_FOREARM = np.array([BODY_ELBOWS[0], BODY_WRISTS[0]])
LOWER_LEGS = np.concatenate([BODY_KNEES, BODY_ANKLES])
HEAD_ONLY = np.array([BODY_HEAD])
SQUAT = ACTIONS.index("squat")


def vary(windows: Windows, rng: np.random.Generator, mirror_share: float = 0.5) -> Windows:
    """Augments windows: mirror, rotation, stretch, other proportions, scale, position, camera movement, occlusion."""
    batch = len(windows.joints)
    middle = windows.joints.mean((1, 2), keepdims=True)
    x = other_bones(windows.joints - middle, rng)
    mirror = rng.random(batch) < mirror_share
    x = np.where(mirror[:, None, None, None], x[:, :, BODY_FLIP] * np.array([-1.0, 1.0]), x)
    visible = np.where(mirror[:, None, None], windows.visible[:, :, BODY_FLIP], windows.visible)
    inside = np.where(mirror[:, None, None], windows.inside[:, :, BODY_FLIP], windows.inside)
    angle = rng.normal(size=batch) * np.deg2rad(8)
    shear = rng.normal(size=batch) * 0.05
    stretch_x, stretch_y = np.exp(rng.normal(size=(2, batch)) * np.array([[0.14], [0.10]]))
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.stack([stretch_x * cos, -sin + shear, sin, stretch_y * cos], -1).reshape(batch, 2, 2)
    scale = np.exp(rng.uniform(np.log(0.4), np.log(3.0), batch))
    x = np.einsum("bij,btkj->btki", linear * scale[:, None, None], x)
    # The camera pans or zooms.
    time = np.arange(NUM_FRAMES)[:, None, None]
    pan = rng.normal(size=(batch, 1, 1, 2)) * (rng.random((batch, 1, 1, 1)) < 0.3) * 0.05
    x = x + pan * (windows.torso * scale)[:, None, None, None] * time
    zoom = rng.normal(size=(batch, 1, 1, 1)) * (rng.random((batch, 1, 1, 1)) < 0.15) * 0.015
    x = x * np.exp(zoom * time)
    x = (x + middle + rng.uniform(-100, 100, (batch, 1, 1, 2))).astype(np.float32)
    return windows_of(x, visible, inside & ~cut_off(batch, rng))


def other_bones(joints: Floats, rng: np.random.Generator) -> Floats:
    """Joints (B, T, 13, 2) of bodies with arms and legs longer or shorter by about 8 %."""
    factors = np.exp(0.08 * rng.normal(size=(len(joints), len(BONES), 1, 1, 1)))
    moved = joints.copy()
    for i, (near, far) in enumerate(BONES):
        moved[:, :, far] = moved[:, :, near] + (joints[:, :, far] - joints[:, :, near]) * factors[:, i]
    return moved


def other_arms(joints: Floats, rng: np.random.Generator) -> Floats:
    """Joints (B, T, 13, 2) with both arms held in some other way: forward, on the hips, before the chest, up.

    Whoever squats does it with any arms, and Penn's people nearly always hold a barbell.
    """
    batch = len(joints)
    if not batch:
        return joints
    lengths = np.linalg.norm(joints[:, :, BODY_ELBOWS] - joints[:, :, BODY_SHOULDERS], axis=-1)  # (B, T, 2)
    length = np.maximum(np.median(lengths, axis=1), np.median(lengths, axis=(1, 2))[:, None])[:, None]  # (B, 1, 2)
    sideways = rng.choice([-1.0, 1.0], (batch, 1, 1))
    mirrored = np.where(rng.random((batch, 1, 1)) < 0.5, [-1.0, 1.0], sideways)  # (B, 1, 2)
    sway = 0.25 * np.sin(np.linspace(0, rng.uniform(2, 12, (batch, 1)), NUM_FRAMES, axis=1))  # (B, T, 1)
    upper = (
        rng.uniform(-0.3, 2.6, (batch, 1, 1)) + rng.uniform(0, 1, (batch, 1, 1)) * sway
    )  # radians from straight down
    fore = upper + rng.uniform(-2.4, 2.4, (batch, 1, 1)) * (rng.random((batch, 1, 1)) < 0.6)
    moved = joints.copy()
    for near, far, angle in ((BODY_SHOULDERS, BODY_ELBOWS, upper), (BODY_ELBOWS, BODY_WRISTS, fore)):
        seen = length * rng.uniform(0.4, 1.1, (batch, 1, 1))  # arms that point at the camera look short
        bone = np.stack(np.broadcast_arrays(mirrored * np.sin(angle), np.cos(angle)), axis=-1)  # (B, T, 1 or 2, 2)
        moved[:, :, far] = moved[:, :, near] + bone * seen[..., None]
    return moved


def cut_off(batch: int, rng: np.random.Generator) -> Bools:
    """Joints (B, 1, 13) outside of the picture for the whole window: of one window in seven, a part of the body."""
    out = np.zeros((batch, 1, BODY_JOINTS), bool)
    parts = (BODY_LEGS, LOWER_LEGS, RIGHT_FOREARM, BODY_FLIP[RIGHT_FOREARM], BODY_ARMS, HEAD_ONLY)
    kind = rng.integers(0, 7 * len(parts), batch)
    for i, part in enumerate(parts):
        out[np.ix_(kind == i, [0], part)] = True
    return out


class TrainingBatches:
    """Draws batches of random windows with errors of the frame network, measured or simulated."""

    NEGATIVE = 0.28  # share of windows of the background class
    EMPTY = 0.02  # share of windows without a person
    OTHER_ARMS = 0.5  # share of squats whose arms do something else
    MEASURED = 0.5  # share of windows with measured errors; the others have simulated ones or none
    STRENGTH = (0.7, 1.6)  # factor on measured errors: the bank is of training people, errors on others are larger
    CLEAN = 0.4  # share without any errors of the windows without measured ones
    MAX_SEVERITY = 0.9

    def __init__(
        self, clips: Clips, movements: list[Movement], bank: ErrorBank, batch: int, rng: np.random.Generator
    ) -> None:
        self.clips, self.bank, self.batch, self.rng = clips, bank, batch, rng
        self.negatives = Negatives(movements, clips, rng)
        self.lengths = np.diff(clips.offsets)
        # Longer clips are drawn more often, but not in proportion to their length.
        weight = np.sqrt(self.lengths)
        # Half-way to a uniform distribution of the actions.
        frequency = np.bincount(clips.labels, weights=weight, minlength=len(ACTIONS))
        weight = weight / np.sqrt(frequency[clips.labels])
        self.weight = weight / weight.sum()

    def draw(self) -> tuple[Floats, Floats, Ints]:
        """One batch: features (B, T, 48), boxes (B, T, 4), labels (B,)."""
        rng = self.rng
        empty, negative = round(self.EMPTY * self.batch), round(self.NEGATIVE * self.batch)
        count = self.batch - empty
        chosen = rng.choice(len(self.clips), count - negative, p=self.weight)
        frames = np.stack([self.clips.offsets[c] + random_window(int(self.lengths[c]), rng) for c in chosen])
        actions = cut(self.clips, frames)
        squats = np.flatnonzero((self.clips.labels[chosen] == SQUAT) & (rng.random(len(chosen)) < self.OTHER_ARMS))
        actions.joints[squats] = other_arms(actions.joints[squats], rng)
        windows = vary(join([actions, self.negatives.draw(negative)]), rng)
        labels = np.concatenate([self.clips.labels[chosen], np.full(negative, BACKGROUND)])

        order = rng.permutation(count)
        measured, simulated = np.split(order, [round(self.MEASURED * count)])
        strength = rng.uniform(*self.STRENGTH, len(measured)).astype(np.float32)
        severity = rng.uniform(0.1, self.MAX_SEVERITY, len(simulated)) * (rng.random(len(simulated)) >= self.CLEAN)
        parts = (
            RealErrors(self.bank, rng).apply(pick(windows, measured), strength)[:2],
            FrameErrors(rng).apply(pick(windows, simulated), severity.astype(np.float32))[:2],
            empty_crops(rng, empty),
        )
        features, boxes = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
        return features, boxes, np.concatenate([labels[order], np.full(empty, BACKGROUND)])


def pick(windows: Windows, rows: Ints) -> Windows:
    """These windows of a batch."""
    return Windows(windows.joints[rows], windows.visible[rows], windows.inside[rows], windows.torso[rows])
