"""The lift's data: CMU motion capture as pa16, in other proportions.

All sequences have one skeleton, so no subject can be held out: whole sequences are. Axes are those of a camera in front
of an upright body: x right, y down, z away from the camera. Bodies face the camera (hips along x), the pelvis is at 0,
lengths are millimetres of a person of 1.7 m.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.lite.layout import FLIP, HIPS, NUM_JOINTS, PARENTS, PELVIS

Floats = NDArray[np.float32]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
Names = NDArray[np.str_]

STATURE_MM = 1700.0
CMU_FILE = "cmu3d_30fps.npz"
# Held out besides the file's own test sequences: one sequence of each action that has none there.
ALSO_HELD_OUT = ("basketball_signal_5.txt", "directing_traffic_4.txt")
FIRST_FRAME = 1  # frame 0 of every sequence is the same T-pose

# CMU's joints for pa16[4:16]: each is where the bone of its name begins.
CMU_LIMBS = (30, 21, 31, 22, 32, 23, 8, 2, 9, 3, 10, 4)
CMU_LOWER_NECK, CMU_UPPER_NECK, CMU_HEAD = 17, 18, 19
# LSP marks the neck 0.15 torsos above the shoulders and the top of the head 0.425 above that (medians of upright
# people): between CMU's neck joints, and beyond its last head joint by this much of the last bone.
NECK_BETWEEN, HEAD_BEYOND = 0.4, 0.6

UPPER_BONES = tuple(range(9))
ARM_BONES = ((5, 7), (6, 8))  # right, left: upper arm, forearm
THIGH_BONES, SHANK_BONES = (11, 12), (13, 14)
ACROSS = np.array([-1, 1, 1], np.float32)
# Which of these lengths a bone has: torso, neck, head, shoulder, upper arm, forearm, hip, thigh, shank.
LENGTH_OF_BONE = np.array([0, 1, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8])
# Lengths of labelled bodies in photographs (LSP's upright people, arms after Winter's anthropometry) over those of
# CMU's skeleton, whose thighs are long and whose torso is short.
PHOTOGRAPHED = np.array([1.26, 1.0, 1.03, 0.92, 1.03, 1.25, 1.1, 0.84, 0.935], np.float32)
LENGTH_SPREAD = 0.05
ABOVE_ANKLE = 0.961  # share of the stature
IN_STATURE = np.array([0, 1, 2, 7, 8])  # torso, neck, head, thigh, shank

CLUSTERS = 300


@dataclass(frozen=True)
class Bodies:
    """N poses of the motion capture."""

    joints_mm: Floats  # (N, 16, 3)
    action: Names  # (N,)
    sequence: Ints  # (N,)

    def rows(self, chosen: Bools) -> Bodies:
        return Bodies(self.joints_mm[chosen], self.action[chosen], self.sequence[chosen])


def load_bodies(data: Path, held_out: bool) -> Bodies:
    """The poses of the held-out sequences, or of all others.

    Raises:
        FileNotFoundError: There is no motion capture in the folder `data`.
    """
    file = data / CMU_FILE
    if not file.exists():
        raise FileNotFoundError(f"there is no {file}; name the folder of the data by --data")
    with np.load(file) as stored:
        xyz, lengths = stored["xyz"], np.diff(stored["offsets"])
        kept_apart = (stored["split"] == "test") | np.isin(stored["filename"], ALSO_HELD_OUT)
        action = np.repeat(stored["action"], lengths)
    sequence = np.repeat(np.arange(len(lengths)), lengths)
    frame = np.concatenate([np.arange(length) for length in lengths])
    chosen = (kept_apart[sequence] == held_out) & (frame >= FIRST_FRAME)
    return Bodies(to_stature(facing(to_pa16(xyz))), action, sequence).rows(chosen)


def to_pa16(xyz: Floats) -> Floats:
    """CMU's joints (N, 38, 3), y up, to pa16 (N, 16, 3), y down, z away from a camera in front; pelvis at 0."""
    limbs = xyz[:, CMU_LIMBS]
    neck = xyz[:, CMU_LOWER_NECK] + NECK_BETWEEN * (xyz[:, CMU_UPPER_NECK] - xyz[:, CMU_LOWER_NECK])
    head = xyz[:, CMU_HEAD] + HEAD_BEYOND * (xyz[:, CMU_HEAD] - xyz[:, CMU_UPPER_NECK])
    thorax, pelvis = limbs[:, :2].mean(1), limbs[:, 6:8].mean(1)
    joints = np.concatenate([np.stack([pelvis, thorax, neck, head], 1), limbs], axis=1)
    return ((joints - joints[:, [PELVIS]]) * np.array([1, -1, -1])).astype(np.float32)


def facing(joints: Floats) -> Floats:
    """Joints (N, 16, 3) rotated about the vertical so that the hips lie along x, the right one at smaller x."""
    right, left = HIPS
    to_left = joints[:, left] - joints[:, right]
    angle = np.arctan2(to_left[:, 2], to_left[:, 0])
    return rotate(joints, about_axis(np.array([0.0, 1.0, 0.0]), angle))


def to_stature(joints: Floats) -> Floats:
    """Joints (N, 16, 3) scaled by one factor, so that their mean skeleton has the stature STATURE_MM."""
    lengths = np.linalg.norm(to_bones(joints), axis=-1).mean(0)
    return (joints * (STATURE_MM / stature(lengths[None])[0])).astype(np.float32)


def stature(lengths: Floats) -> Floats:
    """Height (N,) of people standing upright, from the lengths of their bones (N, 15)."""
    by_kind = np.stack([lengths[:, kind == LENGTH_OF_BONE].mean(1) for kind in IN_STATURE], axis=1)
    return np.asarray(by_kind.sum(1) / ABOVE_ANKLE)


def to_bones(joints: Floats) -> Floats:
    """Joints (B, 16, 3) to vectors (B, 15, 3) from each joint's parent."""
    return joints[:, 1:] - joints[:, PARENTS]


def to_joints(bones: Floats) -> Floats:
    """The inverse of `to_bones`: bones (B, 15, 3) to joints (B, 16, 3), pelvis at 0."""
    joints = np.zeros((len(bones), NUM_JOINTS, 3), np.float32)
    for bone, parent in enumerate(PARENTS):
        joints[:, bone + 1] = joints[:, parent] + bones[:, bone]
    return joints


def flipped(joints: Floats) -> Floats:
    """Joints (..., 16, 3) mirrored: x changes its sign, left and right change places."""
    return joints[..., FLIP, :] * ACROSS


def about_axis(axis: NDArray[np.float64], angle: NDArray[np.floating]) -> Floats:
    """Rotations (B, 3, 3) by angles (B,) about a unit vector (3,) or (B, 3) (Rodrigues)."""
    x, y, z = np.moveaxis(np.broadcast_to(axis, (len(angle), 3)), -1, 0)
    zero = np.zeros_like(x)
    cross = np.stack([zero, -z, y, z, zero, -x, -y, x, zero], -1).reshape(-1, 3, 3)
    sin, cos = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    return (np.eye(3) + sin * cross + (1 - cos) * (cross @ cross)).astype(np.float32)


def rotate(points: NDArray[Any], rotation: NDArray[Any]) -> NDArray[Any]:
    """Points (B, K, 3) rotated by (B, 3, 3)."""
    return np.asarray(points @ rotation.transpose(0, 2, 1))


def in_proportions(bones: Floats, factors: Floats) -> Floats:
    """Bones (B, 15, 3) of people with other lengths, times `factors` (B, 9), and of stature STATURE_MM."""
    stretched = bones * factors[:, LENGTH_OF_BONE, None]
    scale = STATURE_MM / stature(np.linalg.norm(stretched, axis=-1))
    return (stretched * scale[:, None, None]).astype(np.float32)


def some_proportions(rng: np.random.Generator, batch: int) -> Floats:
    """Factors (B, 9) between CMU's skeleton and the photographed body, each length 5 % longer or shorter."""
    towards = rng.uniform(-0.1, 1.2, (batch, 1)).clip(0, 1.1)
    spread = rng.uniform(1 - LENGTH_SPREAD, 1 + LENGTH_SPREAD, (batch, len(PHOTOGRAPHED)))
    return (PHOTOGRAPHED**towards * spread).astype(np.float32)


def diverse_weights(joints: Floats) -> NDArray[np.float64]:
    """Probabilities (N,) to draw each of the poses (N, 16, 3): half uniform, half uniform over clusters of poses.

    Most frames are of walking. The clusters' centres come from farthest-point sampling.
    """
    points = joints.reshape(len(joints), -1)
    cluster, distance = np.zeros(len(points), np.int64), np.full(len(points), np.inf)
    for centre in range(min(CLUSTERS, len(points))):
        to_centre = ((points - points[distance.argmax()]) ** 2).sum(1)
        cluster[to_centre < distance] = centre
        distance = np.minimum(distance, to_centre)
    by_cluster = 1.0 / np.bincount(cluster)[cluster]
    return np.asarray(0.5 / len(points) + 0.5 * by_cluster / by_cluster.sum())
