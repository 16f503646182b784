"""The errors that the frame network was measured to make (`frame/error_bank.py`), laid over annotated clips."""

from __future__ import annotations

import numpy as np

from models.lite import platt
from models.lite.clip.data import Bools, Floats, Windows, body_middle, person_crop, to_features, to_pa16
from models.lite.clip.frame_errors import DIFFICULTY, MARGIN
from models.lite.frame.error_bank import ErrorBank, to_torsos
from models.lite.layout import BODY_JOINTS, FIRST_JOINT
from service.vision.crops import PROPAGATED  # as crops follow tracks without a detection: the worse case

CHANGES = (0.08, 0.5)  # chance a frame that the errors change, from window to window
JITTER = (0.01, 0.06)  # torsos
HIDDEN = 0.05  # torsos along each axis, once for the window and once a frame
LOST = 0.04  # share of frames
LASTS = 2.0  # frames that a loss lasts


class RealErrors:
    """Lays entries of a bank over windows (B, T) or over whole clips (B = 1, T any).

    - Neighbouring frames keep the same person of the bank, drawn by the pose of the run's first frame; a run ends with
      a chance of 0.08 to 0.5 a frame, drawn per window (or clip).
    - Joints jitter by 0.01 to 0.06 torso and scores by 0.3 in the logit from frame to frame.
    - Joints that the annotation calls hidden are a further 0.07 torso off and lose score, joints out of the picture are
      guessed around the body's middle with low scores: the bank has few of the first and none of the second.
    - 4 % of the frames are lost, mostly two in a row: somebody else, or nothing in particular, with lower scores.
    - The crop follows the found joints as the service's does, and no joint is found outside of it.
    """

    def __init__(self, bank: ErrorBank, rng: np.random.Generator) -> None:
        self.bank, self.rng = bank, rng

    def apply(self, windows: Windows, strength: Floats | float = 1.0) -> tuple[Floats, Floats, Floats]:
        """Features (B, T, 48), boxes (B, T, 4) and the share of annotated joints (B,) left within 0.2 torso.

        The bank's errors are multiplied by `strength`, (B,) or one number.
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
        logits = platt.logit(scores, 1e-3)
        logits = logits + 0.3 * rng.normal(size=scores.shape) - 0.5 * hidden - 2.0 * ~windows.inside
        lost = self.runs((batch, frames), LOST / LASTS, 1 / LASTS)
        found, logits = self.lose(found, logits, lost, torso)
        found, corner, side = self.follow(found, truth)
        seen = platt.sigmoid(logits).astype(np.float32)
        return *to_features(found, seen, corner, side), windows.share_of(windows.hits(found))

    def persistent(self, truth: Floats) -> tuple[Floats, Floats]:
        """Errors (B, T, 13, 2) in pixels and scores (B, T, 13) that last for runs of frames."""
        batch, frames = truth.shape[:2]
        begins = self.rng.random((batch, frames)) < self.rng.uniform(*CHANGES, (batch, 1))
        begins[:, 0] = True
        with np.errstate(invalid="ignore"):  # a frame without a known joint has no size: any error will do
            poses, torso = to_torsos(to_pa16(truth[begins]))
        errors, scores = self.bank.draw(self.rng, poses)
        run = (np.cumsum(begins) - 1).reshape(batch, frames)
        in_pixels = errors[:, FIRST_JOINT:] * torso[:, None, None]
        return in_pixels[run], scores[:, FIRST_JOINT:][run]

    def runs(self, shape: tuple[int, int], begin: float, end: float) -> Bools:
        """States (B, T) that begin and end with these chances a frame."""
        batch, frames = shape
        draws, state = self.rng.random(shape), np.zeros(shape, bool)
        now = np.zeros(batch, bool)
        for t in range(frames):
            now = np.where(now, draws[:, t] >= end, draws[:, t] < begin)
            state[:, t] = now
        return state

    def lose(self, found: Floats, logits: Floats, lost: Bools, torso: Floats) -> tuple[Floats, Floats]:
        """Another person of the bank near this one's place, or joints around one point, in the frames that are lost."""
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
        """Joints (B, T, 13, 2) kept in crops of corner (B, T, 2) and side (B, T) that follow them."""
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
