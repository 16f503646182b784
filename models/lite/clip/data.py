"""Penn Action's joints as clips and as training windows for the clip network.

Left and right: Penn's names of the sides are swapped. In clips of viewpoint "front" with upright people (jumping jacks,
jump rope, clean and jerk, squat) Penn's "left" shoulder has the smaller x in 100 % of the frames in which both are
seen, where a person's own left has the larger x; in clips of viewpoint "back" (bowling) it has the larger x in 100 %,
where a person's own left has the smaller. So Penn's "left" is the person's own right, everywhere. `PENN_TO_BODY` gives
every joint its own side, as LSP has it.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from models.lite.frame.data import HIT_TORSO
from models.lite.frame.torso import bounds, torso_size
from models.lite.layout import (
    ACTIONS,
    BODY_JOINTS,
    FIRST_JOINT,
    HIPS,
    NECK,
    NUM_FRAMES,
    NUM_JOINTS,
    PELVIS,
    SHOULDERS,
    THORAX,
)

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

FRAME_STEP = 3  # Penn runs at about 30 frames a second; samples are INTERVAL_S apart
SMALLEST_TORSO_PX = 4.0
OTHER = len(ACTIONS)  # the class of everything else; the served scores leave it out
# Body order (pa16[3:16]): head, r/l shoulder, r/l elbow, r/l wrist, r/l hip, r/l knee, r/l ankle. Penn's order is
# head, "left"/"right" shoulder, ...; with its "left" being the person's right the order is already that one.
PENN_TO_BODY = np.arange(BODY_JOINTS)


@dataclass(frozen=True)
class Clips:
    """Labelled clips; all frames joined, clip i is frames offsets[i]:offsets[i + 1]."""

    joints: Floats  # (F, 13, 2) pixels, 0-based, the person's own left and right
    visible: Bools  # (F, 13) annotated as seen
    inside: Bools  # (F, 13) position known; False where Penn says outside of the picture
    offsets: Ints  # (N + 1,)
    labels: Ints  # (N,)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Windows:
    """Joints of B windows of T frames as annotated; or of whole clips, B = 1 and T their samples."""

    joints: Floats  # (B, T, 13, 2) pixels; unknown positions hold the frame's middle
    visible: Bools  # (B, T, 13)
    inside: Bools  # (B, T, 13)
    torso: Floats  # (B,) pixels

    def hits(self, found: Floats) -> Bools:
        """Which joints (B, T, 13, 2) in pixels are within 0.2 torso of the annotated ones."""
        distance = np.linalg.norm(found - self.joints, axis=-1)
        return np.asarray((distance < HIT_TORSO * self.torso[:, None, None]) & self.inside)

    def share_of(self, hits: Bools) -> Floats:
        """Of the annotated joints (B,)."""
        return np.asarray(hits.sum((1, 2)) / np.maximum(self.inside.sum((1, 2)), 1), np.float32)


def load_clips(data: Path, train: bool) -> Clips:
    """The official train or test split."""
    penn = dict(np.load(data / "penn_labels.npz"))
    if tuple(penn["action_names"]) != ACTIONS:
        raise ValueError("penn_labels.npz lists other actions than ACTIONS")
    bounds = penn["offsets"].astype(np.int64)
    chosen = np.flatnonzero(penn["train"].astype(bool) == train)
    frames = np.concatenate([np.arange(bounds[i], bounds[i + 1]) for i in chosen])
    xy = penn["xy"][frames][:, PENN_TO_BODY]
    inside = ~(xy == 1).all(-1)
    visible = (penn["visibility"][frames][:, PENN_TO_BODY] > 0) & inside
    lengths = (bounds[1:] - bounds[:-1])[chosen]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    return Clips((xy - 1).astype(np.float32), visible, inside, offsets, penn["action"][chosen].astype(np.int64))


def stretch(count: int) -> Ints:
    """Indices of NUM_FRAMES samples out of fewer: floor(i * count / T)."""
    indices: Ints = np.arange(NUM_FRAMES, dtype=np.int64) * count // NUM_FRAMES
    return indices


def sample_windows(count: int, hop: int) -> Ints:
    """Indices (W, T) of the windows of `count` samples, one every `hop`; fewer than T samples are stretched."""
    if count < NUM_FRAMES:
        return stretch(count)[None]
    windows: Ints = np.arange(0, count - NUM_FRAMES + 1, hop)[:, None] + np.arange(NUM_FRAMES)
    return windows


def clip_windows(length: int, hop: int) -> Ints:
    """Frame indices (W, T) of a clip's windows: every FRAME_STEP-th frame, a window every `hop` samples."""
    samples: Ints = np.arange(0, length, FRAME_STEP)
    windows: Ints = samples[sample_windows(len(samples), hop)]
    return windows


def random_window(length: int, rng: np.random.Generator) -> Ints:
    """Frame indices (T,) of a window at a random place and speed; some grow slower or faster within the window."""
    step = rng.uniform(2.0, 4.5)
    span = (NUM_FRAMES - 1) * step
    if span <= length - 1:
        share = np.linspace(0, 1, NUM_FRAMES)
        warp = rng.uniform(-0.35, 0.35) * (rng.random() < 0.5)
        times = rng.uniform(0, length - 1 - span) + span * (share + warp * share * (1 - share))
    else:
        samples = np.arange(0, length, step)
        times = samples[stretch(len(samples))]
    frames: Ints = np.rint(times).astype(np.int64).clip(max=length - 1)
    return frames


def cut(clips: Clips, frames: Ints) -> Windows:
    """Windows of frames (B, T), indices into all frames."""
    return windows_of(clips.joints[frames], clips.visible[frames], clips.inside[frames])


def windows_of(joints: Floats, visible: Bools, inside: Bools) -> Windows:
    """Windows of joints (B, T, 13, 2); where a position is unknown it becomes the middle of the frame's known ones."""
    if not inside.all():
        known = inside[..., None]
        middle = body_middle(joints * known) / np.maximum(known.mean(2, keepdims=True), 1e-3)
        joints = np.where(known, joints, middle)
    joints = joints.astype(np.float32)
    return Windows(joints, visible & inside, inside, window_torso(joints))


def join(windows: list[Windows]) -> Windows:
    """All windows in one batch; they must have the same number of frames."""
    return Windows(*(np.concatenate([getattr(w, f.name) for w in windows]) for f in fields(Windows)))


def body_middle(joints: Floats) -> Floats:
    """(B, T, 1, 2): the mean of the joints (B, T, 13, 2), along a first axis: NumPy is ten times faster there."""
    middle: Floats = np.ascontiguousarray(joints.transpose(2, 0, 1, 3)).mean(0)[:, :, None]
    return middle


def window_torso(joints: Floats) -> Floats:
    """(B,): the median over the frames of windows (B, T, 13, 2), in pixels."""
    median = np.median(torso_size(joints, first_joint=FIRST_JOINT), axis=1)
    return np.maximum(median, SMALLEST_TORSO_PX).astype(np.float32)


def to_pa16(joints: Floats) -> Floats:
    """Joints (..., 13, 2) to (..., 16, 2), with pelvis, thorax and neck derived."""
    whole = np.empty((*joints.shape[:-2], NUM_JOINTS, 2), np.float32)
    whole[..., FIRST_JOINT:, :] = joints
    whole[..., PELVIS, :] = whole[..., HIPS, :].mean(-2)
    whole[..., THORAX, :] = whole[..., NECK, :] = whole[..., SHOULDERS, :].mean(-2)
    return whole


def to_features(
    joints: Floats, scores: Floats, corner: NDArray[np.floating], side: NDArray[np.floating]
) -> tuple[Floats, Floats]:
    """Joints (B, T, 13, 2) in pixels, scores (B, T, 13), square crops to features (B, T, 48) and boxes (B, T, 4).

    pa16's first three joints are derived: the frame network fills them, the clip network must not need them.
    """
    batch, frames = joints.shape[:2]
    keypoints = to_pa16(((joints - corner[:, :, None]) / side[:, :, None, None]).clip(0, 1))
    confidence = np.zeros((batch, frames, NUM_JOINTS), np.float32)
    confidence[:, :, FIRST_JOINT:] = scores
    confidence[:, :, :FIRST_JOINT] = scores.mean(-1, keepdims=True)
    features = np.concatenate([keypoints.reshape(batch, frames, -1), confidence], axis=-1)
    boxes = np.concatenate([corner, side[..., None], side[..., None]], axis=-1)
    return features.astype(np.float32), boxes.astype(np.float32)


def person_crop(joints: Floats, margin: float | Floats) -> tuple[Floats, Floats]:
    """Corner (B, T, 2) and side (B, T) of the square around each frame's joints (B, T, 13, 2)."""
    low, high = bounds(joints)
    side = np.maximum((high - low).max(-1), 8.0) * margin
    return ((low + high) / 2 - side[..., None] / 2).astype(np.float32), side.astype(np.float32)


def annotated(windows: Windows) -> tuple[Floats, Floats]:
    """Features and boxes of a frame network that makes no errors and knows which joints are seen."""
    scores = np.where(windows.visible, 0.9, np.where(windows.inside, 0.65, 0.05)).astype(np.float32)
    return to_features(windows.joints, scores, *person_crop(windows.joints, 1.25))
