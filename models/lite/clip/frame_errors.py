"""Simulated errors of a frame network, so that the clip network becomes robust to them."""

from __future__ import annotations

import numpy as np

from models.lite.clip.data import Bools, Floats, Windows, body_middle, person_crop, to_features
from models.lite.frame.torso import bounds
from models.lite.layout import (
    BODY_ANKLES,
    BODY_ARMS,
    BODY_FLIP,
    BODY_HEAD,
    BODY_JOINTS,
    BODY_LEGS,
    BODY_SHOULDERS,
)
from models.lite.platt import sigmoid

# Legs for arms and arms for legs, and an ankle for the head.
UPSIDE_DOWN = np.concatenate([BODY_ANKLES[:1], BODY_LEGS, BODY_ARMS])
# How often a frame network misses each joint, relative to the mean joint.
DIFFICULTY = np.array([0.6, 0.6, 0.6, 1.2, 1.2, 1.7, 1.7, 0.6, 0.6, 1.0, 1.0, 1.2, 1.2], np.float32)
MARGIN = (1.25, 1.5)  # side of a crop over the larger side of the joints' box


def largest_side(joints: Floats) -> Floats:
    """The larger side (B, T, 1, 1) of the box around each frame's joints (B, T, 13, 2)."""
    low, high = bounds(joints)
    side: Floats = (high - low).max(-1)[:, :, None, None]
    return side


class FrameErrors:
    """Simulates a frame network on annotated windows, with a severity (B,) of its errors for each window.

    Severity 0 is without errors, 1 is a poor network; `evaluate` reports the share of joints that stay right. Joints
    are (B, T, 13, 2) in pixels.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng

    def apply(self, windows: Windows, severity: Floats) -> tuple[Floats, Floats, Floats]:
        """Features (B, T, 48), boxes (B, T, 4) and the share (B,) of annotated joints that stay within 0.2 torso."""
        truth, torso = windows.joints, windows.torso[:, None, None, None]
        found = self.lift_head(truth, severity)
        found = self.swap_sides(found, severity)
        found = self.upside_down(found, severity)
        found = self.shrink(found, severity)
        found = self.gross(found, windows, severity)
        found = found + self.noise(found.shape, severity) * torso
        lost = self.happens(severity, 0.10, found.shape[:2])
        corner, side = self.crops(found, truth, lost)
        found = self.lose_frames(found, lost, corner, side)
        found = np.clip(found, corner[:, :, None], (corner + side[..., None])[:, :, None])
        right = windows.hits(found)
        scores = self.scores(right, windows.visible, lost, severity)
        return *to_features(found.astype(np.float32), scores, corner, side), windows.share_of(right)

    def happens(self, severity: Floats, probability: float, shape: tuple[int, ...]) -> Bools:
        """Events of `shape` (B, ...), with a probability in proportion to the window's severity."""
        return self.rng.random(shape) < probability * severity.reshape(-1, *[1] * (len(shape) - 1))

    def bursts(self, severity: Floats, probability: Floats | float, shape: tuple[int, int, int]) -> Bools:
        """Events (B, T, J) that last a few frames: errors of neighbouring frames are correlated."""
        batch, frames, joints = shape
        draws = self.rng.random((batch, frames, joints))
        run = self.rng.integers(1, 6, batch)
        first = (np.arange(frames) + self.rng.integers(0, 6, (batch, 1))) // run[:, None] % frames
        held = np.take_along_axis(draws, first[..., None], axis=1)
        return held < probability * severity[:, None, None]

    def lift_head(self, joints: Floats, severity: Floats) -> Floats:
        """Moves the head along the neck: Penn marks its middle or its top, LSP its top."""
        amount = self.rng.uniform(-0.05, 0.5, (len(joints), 1, 1)) * (severity > 0)[:, None, None]
        moved = joints.copy()
        moved[:, :, BODY_HEAD] += amount * (joints[:, :, BODY_HEAD] - joints[:, :, BODY_SHOULDERS].mean(2))
        return moved

    def noise(self, shape: tuple[int, ...], severity: Floats) -> Floats:
        """Noise in torsos, of `shape`: a part for each frame and a part that is constant over the window."""
        batch, _, joints, _ = shape
        spread = self.rng.uniform(0.01, 0.12, (2, batch, 1, 1, 1)) * (0.2 + severity)[:, None, None, None]
        spread = spread * (severity > 0)[:, None, None, None] * np.sqrt(DIFFICULTY)[:, None]
        constant = self.rng.normal(size=(batch, 1, joints, 2)) * spread[0]
        moves: Floats = (constant + self.rng.normal(size=shape) * spread[1]).astype(np.float32)
        return moves

    def swap_sides(self, joints: Floats, severity: Floats) -> Floats:
        """Exchanges left and right of arms, legs or both, in some frames or the whole window."""
        swapped = joints
        for limbs in (BODY_ARMS, BODY_LEGS, np.concatenate([BODY_ARMS, BODY_LEGS])):
            chosen = self.bursts(severity, 0.12, (*joints.shape[:2], 1))
            chosen = chosen | self.happens(severity, 0.12, (len(joints), 1, 1))
            mask = np.zeros((1, 1, BODY_JOINTS), bool)
            mask[..., limbs] = True
            swapped = np.where((chosen & mask)[..., None], swapped[:, :, BODY_FLIP], swapped)
        return swapped

    def upside_down(self, joints: Floats, severity: Floats) -> Floats:
        """Exchanges arms and legs, as networks trained on upright people do with people who lie or hang."""
        chosen = self.bursts(severity, 0.04, (*joints.shape[:2], 1)) | self.happens(severity, 0.04, (len(joints), 1, 1))
        return np.where(chosen[..., None], joints[:, :, UPSIDE_DOWN], joints)

    def shrink(self, joints: Floats, severity: Floats) -> Floats:
        """Moves joints towards the body's centre, as the soft-argmax of a flat heat map does.

        Measured on a half-trained frame network: knees and ankles keep 0.7 to 0.8 of their distance, elbows 0.6,
        wrists 0.3 to 0.4.
        """
        rng, batch = self.rng, len(joints)
        steady = rng.random((batch, 1, BODY_JOINTS, 1)) * rng.random((batch, 1, 1, 1))
        amount = steady + 0.4 * rng.random((*joints.shape[:3], 1)) * rng.random((batch, 1, 1, 1))
        amount = (0.5 * amount * DIFFICULTY[:, None] * severity[:, None, None, None]).clip(max=0.9)
        drawn: Floats = (joints + (body_middle(joints) - joints) * amount).astype(np.float32)
        return drawn

    def gross(self, joints: Floats, windows: Windows, severity: Floats) -> Floats:
        """Moves single joints onto or towards another joint, near the body, or to its centre."""
        rng, shape = self.rng, joints.shape[:3]
        chosen = self.bursts(severity, 0.14 * DIFFICULTY, shape)
        chosen |= self.happens(severity, 1.0, (len(joints), 1, BODY_JOINTS)) & (
            rng.random((len(joints), 1, BODY_JOINTS)) < 0.08 * DIFFICULTY
        )
        hidden = windows.inside & ~windows.visible
        chosen |= hidden & self.bursts(severity, 0.3, shape)
        chosen |= ~windows.inside
        extent = largest_side(joints)
        middle = body_middle(joints)
        still = rng.random((len(joints), 1, BODY_JOINTS, 1)) < 0.5  # the same wrong place over the window
        wander = np.where(still, rng.normal(size=(len(joints), 1, BODY_JOINTS, 2)), rng.normal(size=joints.shape))
        # Half of them go towards the joint of the other side.
        each = (len(joints), BODY_JOINTS)
        other = np.where(rng.random(each) < 0.5, BODY_FLIP, rng.integers(0, BODY_JOINTS, each))
        another = np.take_along_axis(joints, other[:, None, :, None], axis=2)
        partly = rng.random((len(joints), 1, BODY_JOINTS, 1)) < 0.5
        part = np.where(partly, rng.uniform(0.3, 1, joints[..., :1].shape), 1.0)
        kind = rng.choice(3, p=(0.55, 0.3, 0.15), size=(len(joints), 1, BODY_JOINTS, 1))
        places = (
            joints + part * (another - joints),
            middle + 0.35 * extent * wander,
            np.broadcast_to(middle, joints.shape),
        )
        wrong = np.select([kind == 0, kind == 1], places[:2], places[2])
        # A joint without annotation has no position of its own; exactly the centre would give it away.
        wrong = np.where(windows.inside[..., None], wrong, wrong + 0.1 * extent * wander)
        moved = chosen[..., None] & (severity > 0)[:, None, None, None]
        return np.where(moved, wrong, joints).astype(np.float32)

    def crops(self, found: Floats, truth: Floats, lost: Bools) -> tuple[Floats, Floats]:
        """Top left (B, T, 2) and sides (B, T) of crops that follow the predicted joints or stay for the window."""
        rng, batch = self.rng, len(found)
        seen = np.where(rng.random((batch, 1, 1, 1)) < 0.5, found, truth)
        if_late = np.concatenate([seen[:, :1], seen[:, :-1]], axis=1)  # the crop of a frame from the frame before
        seen = np.where(rng.random((batch, 1, 1, 1)) < 0.5, if_late, seen)
        corner, side = person_crop(seen, rng.uniform(*MARGIN, (batch, 1)).astype(np.float32))
        centre = corner + side[..., None] / 2
        jitter = rng.uniform(0, 0.04, (batch, 1, 1)) * (1 + 2 * lost[..., None])
        centre = centre + rng.normal(size=centre.shape) * jitter * side[..., None]
        side = side * np.exp(rng.normal(size=side.shape) * rng.uniform(0, 0.06, (batch, 1)))
        kept = rng.random(batch)
        for b in np.flatnonzero(kept < 0.3):  # one crop for all frames: around all of them, or that of the first
            low, high = (centre - side[..., None] / 2)[b].min(0), (centre + side[..., None] / 2)[b].max(0)
            if kept[b] < 0.2:
                centre[b], side[b] = (low + high) / 2, (high - low).max()
            else:
                centre[b], side[b] = centre[b, 0], side[b, 0] * 1.2
        return (centre - side[..., None] / 2).astype(np.float32), side.astype(np.float32)

    def lose_frames(self, joints: Floats, lost: Bools, corner: Floats, side: Floats) -> Floats:
        """Whole frames wrong: all joints at the crop's centre, anywhere, in a corner (no crop), or of someone else."""
        rng, shape = self.rng, joints.shape
        anywhere = corner[:, :, None] + rng.random(shape) * side[:, :, None, None]
        centre = (corner + side[..., None] / 2)[:, :, None] + 0.05 * (anywhere - corner[:, :, None])
        someone = joints[rng.permutation(len(joints))]  # another window's person, at this crop's scale
        low, extent = bounds(someone)[0][:, :, None], largest_side(someone)
        moved = corner[:, :, None] + (someone - low) / np.maximum(extent, 1) * side[:, :, None, None] * 0.9
        kind = rng.integers(0, 4, (*shape[:2], 1, 1))
        wrong = np.select(
            [kind == 0, kind == 1, kind == 2], [anywhere, centre, moved], np.broadcast_to(corner[:, :, None], shape)
        )
        return np.where(lost[..., None, None], wrong, joints)

    def scores(self, right: Bools, visible: Bools, lost: Bools, severity: Floats) -> Floats:
        """Scores, higher for right joints with an overlap, with a bias for each window and for each of its joints."""
        rng, batch = self.rng, len(right)
        # Calibrated: with more errors the scores of right joints are lower too.
        logit = np.where(right, 2.0, 0.2) - 1.6 * severity[:, None, None] - 0.5 * ~visible
        # Without errors, scores are those of a confident network.
        clean = (severity == 0)[:, None, None]
        logit = np.where(clean, np.where(visible, 2.2, 0.6) - 3.5 * ~right, logit)
        logit = logit + rng.normal(size=(batch, 1, 1)) * 0.7 + rng.normal(size=(batch, 1, BODY_JOINTS)) * 0.5
        logit = logit + rng.normal(size=right.shape) * rng.uniform(0.2, 1.0, (batch, 1, 1))
        logit = logit - rng.uniform(0, 4, lost.shape)[..., None] * lost[..., None]
        scores = sigmoid(logit)
        nothing = (lost & (rng.random(lost.shape) < 0.3))[..., None]
        return np.where(nothing, 0.0, scores).astype(np.float32)
