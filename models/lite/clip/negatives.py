"""Windows of the background class: other movements of motion capture, and windows made from clips of actions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.lite.clip.data import Clips, Floats, Windows, cut, join, random_window, window_torso, windows_of
from models.lite.layout import (
    ACTIONS,
    BODY_ANKLES,
    BODY_ELBOWS,
    BODY_HEAD,
    BODY_HIPS,
    BODY_JOINTS,
    BODY_KNEES,
    BODY_SHOULDERS,
    BODY_WRISTS,
    NUM_FRAMES,
    NUM_JOINTS,
)

# Head, r/l shoulder, r/l elbow, r/l wrist, r/l hip, r/l knee, r/l ankle.
CMU_TO_BODY = np.array([19, 30, 21, 31, 22, 32, 23, 8, 2, 9, 3, 10, 4])
MSR_TO_BODY = np.array([19, 0, 1, 7, 8, 9, 10, 4, 5, 13, 14, 15, 16])
CMU_RATE, MSR_RATE = 30.0, 15.0
# The data's other eight actions are, or look like, those of Penn: swings, serves, throws, bending, raising both hands.
MSR_OTHERS = (
    *("high_arm_wave", "horizontal_arm_wave", "hammer", "hand_catch", "forward_punch", "draw_x", "draw_tick"),
    *("draw_circle", "hand_clap", "forward_kick", "side_kick", "jogging"),
)
MSR_HELD_OUT = (2, 4, 6, 8, 10)  # subjects, as in the data's own cross-subject protocol
CMU_AZIMUTH, MSR_AZIMUTH = np.pi, np.deg2rad(60)  # a Kinect records the person's front
# Factors on lengths of the skeleton: with proportions as varied as Penn's they do not give the class away. CMU's hips
# are narrow, and both skeletons have long legs.
HIP_FACTORS = {"mocap": (0.9, 2.0), "kinect": (0.6, 1.1)}
SHOULDER_FACTORS, HEAD_FACTORS, FOREARM_FACTORS = (0.65, 1.1), (0.55, 1.0), (0.7, 1.3)
THIGH_FACTORS, LOWER_LEG_FACTORS = (0.5, 1.0), (0.65, 1.05)
STILL_AS_ACTION = ACTIONS.index("strum_guitar")  # an action with hardly any movement
SAMPLE_S = (2 / 30, 4.5 / 30)  # time between samples, as in `random_window`
# Share of each kind in a batch of negatives.
SHARES = {"mocap": 0.14, "kinect": 0.14, "still": 0.23, "held": 0.11, "shuffled": 0.22, "wandering": 0.16}
MOST_HELD = 3  # frames of a window of repeated ones


@dataclass(frozen=True)
class Movement:
    """One person's joints (S, 13, 3) in metres, x right, y up, z to the viewer of the person's front."""

    joints: Floats
    rate: float  # frames a second
    azimuth: float  # radians, the largest of a camera to either side
    weight: float  # relative frequency in draws
    kind: str


def load_movements(data: Path, held_out: bool) -> list[Movement]:
    """Movements to train on or held-out ones: of CMU by its own split, of MSR Action3D by subject."""
    movements = []
    cmu = dict(np.load(data / "cmu3d_30fps.npz"))  # each array is read once
    bounds, actions = cmu["offsets"], cmu["action"]
    chosen = np.flatnonzero((cmu["split"] == "test") == held_out)
    for i in chosen:
        joints = on_the_ground(cmu["xyz"][bounds[i] : bounds[i + 1]][:, CMU_TO_BODY])
        weight = 1 / np.sqrt((actions[chosen] == actions[i]).sum())  # most sequences are walking
        movements.append(Movement(joints, CMU_RATE, CMU_AZIMUTH, float(weight), "mocap"))
    msr = dict(np.load(data / "msr_action3d.npz"))
    names = msr["action_names"][msr["action"]]
    for i in np.flatnonzero(np.isin(names, MSR_OTHERS) & (np.isin(msr["subject"], MSR_HELD_OUT) == held_out)):
        joints = msr["xyzc"][msr["offsets"][i] : msr["offsets"][i + 1], :, :3][:, MSR_TO_BODY]
        tracked = (joints != 0).any((1, 2))
        if tracked.sum() >= NUM_FRAMES and tracked.mean() > 0.9:
            joints = (joints[tracked] * np.array([1, 1, -1])).astype(np.float32)
            movements.append(Movement(joints - joints.mean((0, 1)), MSR_RATE, MSR_AZIMUTH, 1.0, "kinect"))
    return movements


def on_the_ground(joints: Floats) -> Floats:
    """Joints (S, 13, 3) relative to the hips, moved so that the lower foot neither sinks nor slides.

    CMU's data has the person walk on the spot.
    """
    ankles = joints[:, BODY_ANKLES]
    lower = ankles[..., 1].argmin(1)
    steps = np.diff(ankles, axis=0)[np.arange(len(joints) - 1), lower[1:]]  # (S - 1, 3) of the foot that stands
    path = np.concatenate([np.zeros((1, 3)), -np.cumsum(steps, axis=0)])
    path[:, 1] = -ankles[..., 1].min(1)
    moved: Floats = (joints + path[:, None]).astype(np.float32)
    return moved


def other_body(joints: Floats, kind: str, rng: np.random.Generator) -> Floats:
    """The movement (S, 13, 3) of a body with other proportions."""
    moved = joints.copy()
    for pair, lengths in ((BODY_HIPS, HIP_FACTORS[kind]), (BODY_SHOULDERS, SHOULDER_FACTORS)):
        middle = joints[:, pair].mean(1, keepdims=True)
        moved[:, pair] = middle + (joints[:, pair] - middle) * rng.uniform(*lengths)
    neck = joints[:, BODY_SHOULDERS].mean(1)
    moved[:, BODY_HEAD] = neck + (joints[:, BODY_HEAD] - neck) * rng.uniform(*HEAD_FACTORS)
    limbs = (
        (BODY_SHOULDERS, BODY_ELBOWS, (1, 1)),
        (BODY_ELBOWS, BODY_WRISTS, FOREARM_FACTORS),
        (BODY_HIPS, BODY_KNEES, THIGH_FACTORS),
        (BODY_KNEES, BODY_ANKLES, LOWER_LEG_FACTORS),
    )
    for near, far, lengths in limbs:
        moved[:, far] = moved[:, near] + (joints[:, far] - joints[:, near]) * rng.uniform(*lengths)
    return moved


def view(joints: Floats, azimuth: float, rng: np.random.Generator) -> Floats:
    """Joints (S, 13, 3) projected by a random camera: (S, 13, 2) in pixels. Some cameras follow the person."""
    centre = joints.mean(1, keepdims=True)
    x = joints - centre.mean(0) - rng.uniform(0, 1) * (rng.random() < 0.5) * (centre - centre.mean(0))
    turn, tilt = rng.uniform(-azimuth, azimuth), np.clip(rng.normal() * 0.15 + 0.05, -0.3, 0.6)
    about_y = np.array([[np.cos(turn), 0, np.sin(turn)], [0, 1, 0], [-np.sin(turn), 0, np.cos(turn)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(tilt), -np.sin(tilt)], [0, np.sin(tilt), np.cos(tilt)]])
    x = x @ (about_x @ about_y).T
    distance = rng.uniform(3, 9) + max(0.0, float(x[..., 2].max()))
    seen = 120 * distance * x[..., :2] / (distance - x[..., 2:])
    picture: Floats = (seen * np.array([1, -1]) + 300).astype(np.float32)
    return picture


def at_times(joints: Floats, times: Floats) -> Floats:
    """Joints (S, ...) interpolated at `times` (T,), in frames."""
    before = np.floor(times).astype(np.int64).clip(0, len(joints) - 1)
    after = np.minimum(before + 1, len(joints) - 1)
    share = (times - before).reshape(-1, *[1] * (joints.ndim - 1))
    between: Floats = (joints[before] * (1 - share) + joints[after] * share).astype(np.float32)
    return between


class Negatives:
    """Draws windows of all kinds in SHARES; joints are hidden as in windows of `clips`."""

    def __init__(self, movements: list[Movement], clips: Clips, rng: np.random.Generator) -> None:
        self.rng, self.clips = rng, clips
        self.lengths = np.diff(clips.offsets)
        self.moving = np.flatnonzero(clips.labels != STILL_AS_ACTION)
        self.movements = {kind: [m for m in movements if m.kind == kind] for kind in ("mocap", "kinect")}

    def draw(self, count: int) -> Windows:
        """Windows of random kinds."""
        counts = self.rng.multinomial(count, list(SHARES.values()))
        return join([self.of_kind(kind, int(n)) for kind, n in zip(SHARES, counts, strict=True) if n])

    def of_kind(self, kind: str, count: int) -> Windows:
        """`count` windows of one kind of SHARES."""
        if kind == "shuffled":
            return self.shuffled(count)
        if kind == "held":
            return self.held(count)
        masks = self.penn(count)
        if kind == "still":
            return self.still(masks)
        joints = self.wandering(masks) if kind == "wandering" else self.captured(kind, count)
        return windows_of(joints, masks.visible, masks.inside)

    def penn(self, count: int) -> Windows:
        """Random windows of Penn's actions with movement."""
        chosen = self.rng.choice(self.moving, count)
        frames = [self.clips.offsets[c] + random_window(int(self.lengths[c]), self.rng) for c in chosen]
        return cut(self.clips, np.stack(frames))

    def captured(self, kind: str, count: int) -> Floats:
        """Windows (B, T, 13, 2) of motion capture, with random bodies and cameras."""
        movements = self.movements[kind]
        weight = np.array([m.weight for m in movements])
        windows = []
        for i in self.rng.choice(len(movements), count, p=weight / weight.sum()):
            movement = movements[i]
            step = self.rng.uniform(*SAMPLE_S) * movement.rate
            start = self.rng.uniform(0, max(0.0, len(movement.joints) - 1 - step * (NUM_FRAMES - 1)))
            times = (start + step * np.arange(NUM_FRAMES)).clip(max=len(movement.joints) - 1)
            joints = other_body(at_times(movement.joints, times), kind, self.rng)
            windows.append(view(joints, movement.azimuth, self.rng))
        return np.stack(windows)

    def still(self, windows: Windows) -> Windows:
        """One frame of each window, or of motion capture, for all of its time, with a little sway."""
        rng, batch = self.rng, len(windows.joints)
        captured = self.captured("mocap" if rng.random() < 0.5 else "kinect", batch)
        joints = np.where(rng.random((batch, 1, 1, 1)) < 0.4, captured, windows.joints)[:, :1]
        visible, inside = (np.broadcast_to(m[:, :1], windows.visible.shape) for m in (windows.visible, windows.inside))
        sway = smooth(rng, batch, 1, (1.0, 4.0)) * rng.uniform(0, 0.05, (batch, 1, 1, 1))
        sway = sway + smooth(rng, batch, BODY_JOINTS, (1.0, 4.0)) * rng.uniform(0, 0.03, (batch, 1, 1, 1))
        swaying = joints + sway * window_torso(joints)[:, None, None, None]
        return windows_of(swaying.astype(np.float32), visible, inside)

    def shuffled(self, count: int) -> Windows:
        """Windows with their frames in random order: those whose movement changes most by it."""
        windows = self.penn(3 * count)
        order = self.rng.permuted(np.tile(np.arange(NUM_FRAMES), (3 * count, 1)), axis=1)
        rows = np.arange(3 * count)[:, None]
        mixed = windows.joints[rows, order]
        before, after = (np.abs(np.diff(x, axis=1)).mean((1, 2, 3)) for x in (windows.joints, mixed))
        best = np.argsort(-after / (before + 1e-3))[:count]
        picked = rows[best], order[best]
        return windows_of(mixed[best], windows.visible[picked], windows.inside[picked])

    def held(self, count: int) -> Windows:
        """One to three frames of each window, each held until the next: repeated frames, and one frame a second."""
        windows = self.penn(count)
        frames = self.rng.integers(1, MOST_HELD + 1, (count, 1))
        shown = np.arange(NUM_FRAMES) * frames // NUM_FRAMES * NUM_FRAMES // frames  # (B, T)
        picked = np.arange(count)[:, None], shown
        return windows_of(windows.joints[picked], windows.visible[picked], windows.inside[picked])

    def wandering(self, windows: Windows) -> Floats:
        """Joints that move smoothly on their own, and rigid bodies that move, rotate and grow."""
        rng, batch = self.rng, len(windows.joints)
        torso = windows.torso[:, None, None, None]
        pose = windows.joints[:, :1]
        scattered = pose.mean(2, keepdims=True) + rng.normal(size=pose.shape) * torso
        pose = np.where(rng.random((batch, 1, 1, 1)) < 0.3, scattered, pose)
        own = smooth(rng, batch, BODY_JOINTS, (0.6, 4.0)) * rng.uniform(0.15, 0.8, (batch, 1, 1, 1)) * torso
        middle = pose.mean(2, keepdims=True)
        growth = np.exp(0.3 * smooth(rng, batch, 1, (1.5, 5.0))[..., :1])
        turn = 0.4 * smooth(rng, batch, 1, (1.5, 5.0))[..., 0]  # (B, T, 1) radians
        x, y = np.moveaxis((pose - middle) * growth, -1, 0)
        stiff = np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], -1)
        stiff = stiff + middle + smooth(rng, batch, 1, (1.5, 5.0)) * rng.uniform(0, 1.5, (batch, 1, 1, 1)) * torso
        joints: Floats = np.where(rng.random((batch, 1, 1, 1)) < 0.35, stiff, pose + own).astype(np.float32)
        return joints


def smooth(rng: np.random.Generator, batch: int, joints: int, periods_s: tuple[float, float]) -> Floats:
    """Smooth movements (B, T, joints, 2) of two sine waves of random periods each, of amplitude about 1."""
    shape = (2, batch, 1, joints, 2)
    angle = 2 * np.pi * 0.1 * np.arange(NUM_FRAMES)[:, None, None] / rng.uniform(*periods_s, shape)
    waves: Floats = (np.sin(angle + rng.uniform(0, 2 * np.pi, shape)) * rng.uniform(0.2, 1, shape)).sum(0) / 2
    return waves.astype(np.float32)


def empty_crops(rng: np.random.Generator, count: int) -> tuple[Floats, Floats]:
    """The clip network's inputs for crops without a person: random joints with low scores."""
    shape = (count, NUM_FRAMES, NUM_JOINTS, 2)
    spread = rng.uniform(0.02, 0.3, (count, 1, 1, 1))
    fixed = rng.normal(size=(count, 1, NUM_JOINTS, 2)) * rng.uniform(0, 0.25, (count, 1, 1, 1))
    keypoints = (0.5 + fixed + rng.normal(size=shape) * spread).clip(0, 1)
    scores = rng.uniform(0, 0.3, (count, 1, 1)) * rng.random((count, NUM_FRAMES, NUM_JOINTS))
    corner = rng.uniform(0, 300, (count, 1, 2)) + rng.normal(size=(count, NUM_FRAMES, 2)) * 3
    side = np.broadcast_to(rng.uniform(150, 600, (count, 1, 1)), (count, NUM_FRAMES, 2))
    features = np.concatenate([keypoints.reshape(count, NUM_FRAMES, -1), scores], -1).astype(np.float32)
    return features, np.concatenate([corner, side], -1).astype(np.float32)
