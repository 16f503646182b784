"""The lift's training views: random poses, cameras and errors of the frame network.

Poses: three in four are CMU's unchanged. Of the others some are mixtures (one's legs under another's trunk), have arms
rotated, hips and knees flexed to a squat or seat, the trunk bent, or are tilted as a whole, as in push-ups.

Cameras (uniform unless said otherwise): any azimuth, elevation -20..40 degrees, roll of 6 degrees (normal; one in ten
up to 60), distance 2.5..12 m (log-uniform), the person up to 20 degrees beside and 12 above or below the optical axis.
Focal length and the crop's field of view do not matter: the lift normalises its input.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.lite.frame.error_bank import ErrorBank, to_torsos
from models.lite.layout import ARMS, FLIP, LEGS
from models.lite.lift import data as lift_data
from models.lite.lift.data import (
    ARM_BONES,
    SHANK_BONES,
    THIGH_BONES,
    UPPER_BONES,
    Floats,
    Ints,
    about_axis,
    rotate,
    to_bones,
)
from models.lite.platt import sigmoid
from service.networks.score_rule import logit

ELEVATION = (-20.0, 40.0)
DISTANCE_MM = (2500.0, 12000.0)
BESIDE_AXIS, ABOVE_AXIS = 20.0, 12.0
UNCHANGED = 0.75  # share of CMU's own poses
EXACT = 0.25  # share of views without errors
# Which joints change sides, and between which of a uniform draw.
SWAPPED = ((np.concatenate([ARMS, LEGS]), (0.0, 0.06)), (LEGS, (0.06, 0.1)), (ARMS, (0.1, 0.13)))
MARGIN = (1.1, 1.6)  # side of the crop over the larger side of the joints' box
X, Y, Z = np.eye(3)


@dataclass(frozen=True)
class View:
    """B poses through one camera each."""

    keypoints: Floats  # (B, 16, 2) x, y in 0..1 of a square crop
    positions_mm: Floats  # (B, 16, 3) x right, y down, z along the ray to the pelvis, relative to it


def uniform_degrees(rng: np.random.Generator, low: float, high: float, batch: int) -> NDArray[np.float64]:
    return np.deg2rad(rng.uniform(low, high, batch))


def random_rows(rng: np.random.Generator, chance: float, batch: int) -> Ints:
    """Rows of a batch, each with this probability."""
    return np.flatnonzero(rng.random(batch) < chance)


def turn(bones: Floats, rows: Ints, which: tuple[int, ...], rotation: Floats) -> None:
    """Rotates, in place, the bones `which` of (B, 15, 3) in the given rows, by (rows, 3, 3)."""
    chosen = np.ix_(rows, np.array(which))
    bones[chosen] = rotate(bones[chosen], rotation)


def any_rotation(rng: np.random.Generator, largest: float, batch: int) -> Floats:
    """Rotations (B, 3, 3) about any axis by up to `largest` degrees."""
    axis = rng.normal(size=(batch, 3))
    axis /= np.linalg.norm(axis, axis=-1, keepdims=True)
    return about_axis(axis, uniform_degrees(rng, 0, largest, batch))


def other_poses(bones: Floats, rng: np.random.Generator) -> Floats:
    """Poses that CMU's few actions lack, made of the bones (B, 15, 3) of bodies that face the camera."""
    bones, batch = bones.copy(), len(bones)
    rows = random_rows(rng, 0.3, batch)
    bones[np.ix_(rows, np.array(UPPER_BONES))] = bones[rng.permutation(rows)][:, UPPER_BONES]
    for upper, fore in ARM_BONES:
        rows = random_rows(rng, 0.25, batch)
        turn(bones, rows, (upper, fore), any_rotation(rng, 110, len(rows)))
        rows = random_rows(rng, 0.15, batch)
        turn(bones, rows, (fore,), any_rotation(rng, 60, len(rows)))
    # Bodies look along -z: a positive turn about x brings what points down (+y) to +z, backwards.
    rows = random_rows(rng, 0.25, batch)
    hip, knee = uniform_degrees(rng, 0, 115, len(rows)), uniform_degrees(rng, 0, 140, len(rows))
    for thigh, shank in zip(THIGH_BONES, SHANK_BONES, strict=True):
        flexion = hip + np.deg2rad(rng.normal(0, 12, len(rows)))
        turn(bones, rows, (thigh,), about_axis(X, -flexion))
        turn(bones, rows, (shank,), about_axis(X, knee - flexion))
        aside = random_rows(rng, 0.2, batch)
        turn(bones, aside, (thigh, shank), about_axis(Z, np.deg2rad(rng.normal(0, 20, len(aside)))))
    rows = random_rows(rng, 0.25, batch)
    twist = about_axis(Y, uniform_degrees(rng, -35, 35, len(rows)))
    turn(bones, rows, UPPER_BONES, twist @ about_axis(X, uniform_degrees(rng, -20, 100, len(rows))))
    rows = random_rows(rng, 0.3, batch)
    turn(bones, rows, tuple(range(15)), any_rotation(rng, 120, len(rows)))
    return bones


def random_views(joints_mm: Floats, rng: np.random.Generator) -> View:
    """Views of bodies (B, 16, 3), in mm, through random cameras."""
    batch = len(joints_mm)
    roll = np.where(rng.random(batch) < 0.1, uniform_degrees(rng, -60, 60, batch), np.deg2rad(rng.normal(0, 6, batch)))
    aim = about_axis(Z, roll) @ about_axis(X, uniform_degrees(rng, *ELEVATION, batch))
    positions = rotate(joints_mm, aim @ about_axis(Y, uniform_degrees(rng, 0, 360, batch)))
    nearest, farthest = DISTANCE_MM
    distance = nearest * (farthest / nearest) ** rng.random(batch)
    across = about_axis(Y, uniform_degrees(rng, -BESIDE_AXIS, BESIDE_AXIS, batch))
    up = about_axis(X, uniform_degrees(rng, -ABOVE_AXIS, ABOVE_AXIS, batch))
    return View(crop(project(positions, distance, up @ across), rng), positions)


def project(positions_mm: Floats, distance_mm: NDArray[np.float64], off_axis: Floats) -> Floats:
    """Positions (B, 16, 3) about a pelvis at `distance_mm` (B,), rotated off the optical axis, on the plane z = 1."""
    points = rotate(positions_mm + distance_mm[:, None, None] * Z, off_axis)
    return (points[..., :2] / points[..., 2:]).astype(np.float32)


def crop(points: Floats, rng: np.random.Generator) -> Floats:
    """Points (B, 16, 2) in 0..1 of random square crops around them."""
    low, high = points.min(1), points.max(1)
    extent = (high - low).max(-1)
    side = extent * rng.uniform(*MARGIN, len(points))
    room = (side - extent)[:, None] / 2
    centre = (low + high) / 2 + rng.uniform(-0.9, 0.9, (len(points), 2)) * room
    return ((points - (centre - side[:, None] / 2)[:, None]) / side[:, None, None]).astype(np.float32)


def with_errors(
    keypoints: Floats, bank: ErrorBank, rng: np.random.Generator, strength: Floats | float = 1.0
) -> tuple[Floats, Floats]:
    """Keypoints with errors of the frame network.

    Args:
        keypoints: (B, 16, 2), exact, in 0..1 of the crop.
        bank: The errors to draw from.
        rng: Draws them.
        strength: Factor on the errors: one, or (B,).

    Returns:
        Keypoints (B, 16, 2) in 0..1 of the crop, and the network's scores (B, 16).
    """
    poses, torso = to_torsos(keypoints)
    errors, scores = bank.draw(rng, poses)
    return (keypoints + errors * (torso * strength)[:, None, None]).clip(0, 1).astype(np.float32), scores


def swap_sides(keypoints: Floats, rng: np.random.Generator) -> Floats:
    """Exchanges left and right in the arms, the legs or both of some people (B, 16, 2).

    The error bank is of training people, where side swaps are rarer than on held-out people.
    """
    swapped = keypoints.copy()
    kind = rng.random(len(keypoints))
    for joints, (low, high) in SWAPPED:
        rows = (kind >= low) & (kind < high)
        swapped[np.ix_(rows, joints)] = keypoints[np.ix_(rows, FLIP[joints])]
    return swapped


class TrainingViews:
    """Draws training views: some with exact keypoints, the others with measured errors."""

    def __init__(self, joints_mm: Floats, weights: NDArray[np.float64], bank: ErrorBank) -> None:
        self.bones, self.bank = to_bones(joints_mm), bank
        self.cumulated = np.cumsum(weights) / weights.sum()

    def draw(self, rng: np.random.Generator, batch: int) -> tuple[Floats, Floats, Floats]:
        """Keypoints (B, 16, 2), scores (B, 16) and positions in mm (B, 16, 3)."""
        drawn = np.searchsorted(self.cumulated, rng.random(batch)).clip(max=len(self.bones) - 1)
        bones = self.bones[drawn]
        changed = random_rows(rng, 1 - UNCHANGED, batch)
        bones[changed] = other_poses(bones[changed], rng)
        bones = lift_data.in_proportions(bones, lift_data.some_proportions(rng, batch))
        joints = lift_data.to_joints(bones)
        joints = np.where((rng.random(batch) < 0.5)[:, None, None], lift_data.flipped(joints), joints)
        view = random_views(joints, rng)
        strength = rng.uniform(0.75, 1.25, batch).astype(np.float32)
        seen = swap_sides(view.keypoints, rng)
        found, scores = with_errors(seen, self.bank, rng, strength)
        logits = logit(scores, 1e-3)
        # The lift must not depend on the calibration of the scores.
        logits = logits * rng.uniform(0.8, 1.25, (batch, 1)) + rng.normal(0, 0.4, (batch, 1))
        scores = sigmoid(logits).astype(np.float32)
        exact = rng.random((batch, 1)) < EXACT
        certain = exact & (rng.random((batch, 1)) < 0.5)
        found = np.where(exact[..., None], view.keypoints, found)
        return found, np.where(certain, np.float32(1), scores), view.positions_mm
