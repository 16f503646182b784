"""Penn Action's joints as clips and as windows of the clip network.

Penn's names of the sides are swapped. In clips of viewpoint "front" with upright people (jumping jacks, jump rope,
clean and jerk, squat) Penn's "left" shoulder has the smaller x in 100 % of the frames in which both are visible, where
a person's own left has the larger x; in clips of viewpoint "back" (bowling) it has the larger x in 100 %, where a
person's own left has the smaller. So Penn's "left" is the person's own right. `PENN_TO_BODY` gives every joint its own
side, as LSP does.
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
BACKGROUND = len(ACTIONS)  # the background class; the served scores leave it out
# The body's order has the right joint of each pair first. Penn's has its "left" one first, which is the person's right.
PENN_TO_BODY = np.arange(BODY_JOINTS)


@dataclass(frozen=True)
class Clips:
    """N labelled clips, their frames one after another: clip i is frames offsets[i]:offsets[i + 1]."""

    joints: Floats  # (F, 13, 2) pixels, 0-based, the person's own left and right
    visible: Bools  # (F, 13) annotated as visible
    inside: Bools  # (F, 13) position known; False for joints outside of the picture
    offsets: Ints  # (N + 1,)
    labels: Ints  # (N,)

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Windows:
    """Annotated joints of B windows of T frames; or of a whole clip, with B = 1 and T its samples."""

    joints: Floats  # (B, T, 13, 2) pixels; unknown positions are the mean of the frame's known ones
    visible: Bools  # (B, T, 13)
    inside: Bools  # (B, T, 13)
    torso: Floats  # (B,) pixels

    def hits(self, found: Floats) -> Bools:
        """PCK@0.2's hits (B, T, 13): joints (B, T, 13, 2), in pixels, within 0.2 torso of the annotated ones."""
        distance = np.linalg.norm(found - self.joints, axis=-1)
        return np.asarray((distance < HIT_TORSO * self.torso[:, None, None]) & self.inside)

    def share_of(self, hits: Bools) -> Floats:
        """Share (B,) of the annotated joints that are hits."""
        return np.asarray(hits.sum((1, 2)) / np.maximum(self.inside.sum((1, 2)), 1), np.float32)


def load_clips(data: Path, train: bool) -> Clips:
    """The clips of the official train or test split.

    Raises:
        ValueError: The file lists other actions than `ACTIONS`.
    """
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
    """Indices (T,) of a window over fewer than T samples: floor(i * count / T)."""
    indices: Ints = np.arange(NUM_FRAMES, dtype=np.int64) * count // NUM_FRAMES
    return indices


def sample_windows(count: int, hop: int) -> Ints:
    """Indices (W, T) of the windows of `count` samples, `hop` samples apart; fewer than T samples are stretched."""
    if count < NUM_FRAMES:
        return stretch(count)[None]
    windows: Ints = np.arange(0, count - NUM_FRAMES + 1, hop)[:, None] + np.arange(NUM_FRAMES)
    return windows


def clip_windows(length: int, hop: int) -> Ints:
    """Frame indices (W, T) of a clip's windows: samples are FRAME_STEP frames apart, windows `hop` samples."""
    samples: Ints = np.arange(0, length, FRAME_STEP)
    windows: Ints = samples[sample_windows(len(samples), hop)]
    return windows


def random_window(length: int, rng: np.random.Generator) -> Ints:
    """Frame indices (T,) of a window with random start and speed; in some windows the speed changes."""
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
    """Windows of the frames with these indices (B, T)."""
    return windows_of(clips.joints[frames], clips.visible[frames], clips.inside[frames])


def windows_of(joints: Floats, visible: Bools, inside: Bools) -> Windows:
    """Windows of joints (B, T, 13, 2); an unknown position becomes the mean of the frame's known ones."""
    if not inside.all():
        known = inside[..., None]
        middle = body_middle(joints * known) / np.maximum(known.mean(2, keepdims=True), 1e-3)
        joints = np.where(known, joints, middle)
    joints = joints.astype(np.float32)
    return Windows(joints, visible & inside, inside, window_torso(joints))


def join(windows: list[Windows]) -> Windows:
    """One batch of all windows, which have the same number of frames."""
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
    """The clip network's inputs. pa16's first three joints, which it does not use, are derived.

    Args:
        joints: (B, T, 13, 2) in pixels.
        scores: (B, T, 13).
        corner: Top left (B, T, 2) of the square crops, in pixels.
        side: Their sides (B, T).

    Returns:
        Action features (B, T, 48) and crop boxes (B, T, 4).
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
    """Top left (B, T, 2) and side (B, T) of square crops around the joints (B, T, 13, 2) of each frame."""
    low, high = bounds(joints)
    side = np.maximum((high - low).max(-1), 8.0) * margin
    return ((low + high) / 2 - side[..., None] / 2).astype(np.float32), side.astype(np.float32)


def annotated(windows: Windows) -> tuple[Floats, Floats]:
    """The clip network's inputs from a frame network without errors, whose scores tell which joints are visible."""
    scores = np.where(windows.visible, 0.9, np.where(windows.inside, 0.65, 0.05)).astype(np.float32)
    return to_features(windows.joints, scores, *person_crop(windows.joints, 1.25))
