"""Measured errors of the frame network (`frame/error_bank.py`) on annotated windows and clips."""

from __future__ import annotations

import numpy as np

from models.lite import platt
from models.lite.clip.data import Bools, Floats, Windows, body_middle, person_crop, to_features, to_pa16
from models.lite.clip.frame_errors import DIFFICULTY, MARGIN
from models.lite.frame.error_bank import ErrorBank, to_torsos
from models.lite.layout import BODY_JOINTS, FIRST_JOINT
from service.networks.score_rule import logit
from service.vision.crops import PROPAGATED  # as crops follow tracks without a detection: the worse case

CHANGES = (0.08, 0.5)  # probability that the errors change from one frame to the next; drawn for each window
JITTER = (0.01, 0.06)  # torsos
HIDDEN = 0.05  # torsos along each axis, once for the window and once for each frame
LOST = 0.04  # share of frames
LASTS = 2.0  # mean length of a loss, in frames


class RealErrors:
    """Applies errors of a bank to windows (B, T) or to whole clips (B = 1, any T).

    - Errors last for runs of frames, drawn by the pose of a run's first frame. A run ends with a probability of 0.08 to
      0.5 at each frame, drawn for each window or clip.
    - Joints jitter by 0.01 to 0.06 torso and logits of scores by 0.3 from frame to frame.
    - The bank has few hidden joints and none outside of the picture. Hidden ones get a further error of 0.07 torso and
      a lower score; those outside of the picture are around the body's centre with low scores.
    - 4 % of the frames are lost, mostly two in a row: joints of somebody else or around one point, with lower scores.
    - The crop follows the predicted joints as the service's does, and no joint is outside of it.
    """

    def __init__(self, bank: ErrorBank, rng: np.random.Generator) -> None:
        self.bank, self.rng = bank, rng

    def apply(self, windows: Windows, strength: Floats | float = 1.0) -> tuple[Floats, Floats, Floats]:
        """Features (B, T, 48), boxes (B, T, 4) and the share (B,) of annotated joints that stay within 0.2 torso.

        `strength` is a factor on the bank's errors: (B,) or one number.
        """
        rng, truth = self.rng, windows.joints
        batch, frames = truth.shape[:2]
        torso = windows.torso[:, None, None, None]
        errors, scores = self.persistent(truth)
        found = truth + errors * np.broadcast_to(strength, batch)[:, None, None, None]
        unsteady = rng.uniform(*JITTER, (batch, 1, 1, 1)) * np.sqrt(DIFFICULTY)[:, None]
        found = found + rng.normal(size=found.shape) * unsteady * torso
        hidden = windows.inside & ~windows.visible
        off = rng.normal(size=(batch, 1, BODY_JOINTS, 2)) + rng.normal(size=found.shape)
        found = found + HIDDEN * off * torso * hidden[..., None]
        guess = body_middle(truth) + 0.3 * off * torso
        found = np.where(windows.inside[..., None], found, guess)
        logits = logit(scores, 1e-3)
        logits = logits + 0.3 * rng.normal(size=scores.shape) - 0.5 * hidden - 2.0 * ~windows.inside
        lost = self.runs((batch, frames), LOST / LASTS, 1 / LASTS)
        found, logits = self.lose(found, logits, lost, torso)
        found, corner, side = self.follow(found, truth)
        seen = platt.sigmoid(logits).astype(np.float32)
        return *to_features(found, seen, corner, side), windows.share_of(windows.hits(found))

    def persistent(self, truth: Floats) -> tuple[Floats, Floats]:
        """Errors (B, T, 13, 2) in pixels and scores (B, T, 13), constant over runs of frames."""
        batch, frames = truth.shape[:2]
        begins = self.rng.random((batch, frames)) < self.rng.uniform(*CHANGES, (batch, 1))
        begins[:, 0] = True
        with np.errstate(invalid="ignore"):  # a frame without a known joint has size 0; its errors do not matter
            poses, torso = to_torsos(to_pa16(truth[begins]))
        errors, scores = self.bank.draw(self.rng, poses)
        run = (np.cumsum(begins) - 1).reshape(batch, frames)
        in_pixels = errors[:, FIRST_JOINT:] * torso[:, None, None]
        return in_pixels[run], scores[:, FIRST_JOINT:][run]

    def runs(self, shape: tuple[int, int], begin: float, end: float) -> Bools:
        """States (B, T) that begin and end with these probabilities at each frame."""
        batch, frames = shape
        draws, state = self.rng.random(shape), np.zeros(shape, bool)
        now = np.zeros(batch, bool)
        for t in range(frames):
            now = np.where(now, draws[:, t] >= end, draws[:, t] < begin)
            state[:, t] = now
        return state

    def lose(self, found: Floats, logits: Floats, lost: Bools, torso: Floats) -> tuple[Floats, Floats]:
        """Replaces the joints of lost frames by another person's near by, or by joints around one point."""
        rng, count = self.rng, int(lost.sum())
        if not count:
            return found, logits
        found, logits = found.copy(), logits.copy()
        size = np.broadcast_to(torso, (*found.shape[:2], 1, 1))[lost]
        middle = found[lost].mean(1, keepdims=True) + rng.normal(size=(count, 1, 2)) * 0.5 * size
        other = self.bank.joints[rng.integers(0, len(self.bank), count), FIRST_JOINT:]
        around = rng.normal(size=other.shape) * rng.uniform(0.1, 0.8, (count, 1, 1))
        found[lost] = middle + np.where(rng.random((count, 1, 1)) < 0.5, other, around) * size
        logits[lost] -= rng.uniform(0, 3, (count, 1))
        return found, logits

    def follow(self, found: Floats, truth: Floats) -> tuple[Floats, Floats, Floats]:
        """Crops that follow the joints: joints (B, T, 13, 2) clipped to them, top left (B, T, 2) and side (B, T)."""
        batch, frames = found.shape[:2]
        margin = self.rng.uniform(*MARGIN, (batch, 1)).astype(np.float32)
        corner, side = person_crop(truth[:, :1], margin)
        side = side[:, 0]
        centre = corner[:, 0] + side[:, None] / 2
        kept, corners, sides = np.empty_like(found), np.empty((batch, frames, 2)), np.empty((batch, frames))
        for t in range(frames):
            corners[:, t], sides[:, t] = centre - side[:, None] / 2, side
            low = corners[:, t, None]
            kept[:, t] = found[:, t].clip(low, low + side[:, None, None])
            corner, wanted = person_crop(kept[:, t : t + 1], margin)
            side = side + PROPAGATED.side * (wanted[:, 0] - side)
            centre = centre + PROPAGATED.centre * (corner[:, 0] + wanted[:, :1] / 2 - centre)
        return kept.astype(np.float32), corners.astype(np.float32), sides.astype(np.float32)
