"""Random windows of training clips: another view of the action, and a frame network's errors."""

from __future__ import annotations

import numpy as np

from models.lite.clip_data import (
    ACTIONS,
    FLIP,
    NUM_FRAMES,
    Clips,
    Floats,
    Ints,
    Windows,
    cut,
    random_window,
    torso_size,
)
from models.lite.frame_errors import FrameErrors


def vary(windows: Windows, rng: np.random.Generator) -> Windows:
    """The same action seen otherwise: mirrored, turned, stretched, at another scale and place."""
    batch = len(windows.joints)
    middle = windows.joints.mean((1, 2), keepdims=True)
    x = windows.joints - middle
    mirror = rng.random(batch) < 0.5
    x = np.where(mirror[:, None, None, None], x[:, :, FLIP] * np.array([-1.0, 1.0]), x)
    visible = np.where(mirror[:, None, None], windows.visible[:, :, FLIP], windows.visible)
    inside = np.where(mirror[:, None, None], windows.inside[:, :, FLIP], windows.inside)
    angle = rng.normal(size=batch) * np.deg2rad(7)
    shear = rng.normal(size=batch) * 0.05
    stretch_x, stretch_y = np.exp(rng.normal(size=(2, batch)) * 0.10)
    cos, sin = np.cos(angle), np.sin(angle)
    linear = np.stack([stretch_x * cos, -sin + shear, sin, stretch_y * cos], -1).reshape(batch, 2, 2)
    scale = np.exp(rng.uniform(np.log(0.4), np.log(3.0), batch))
    x = np.einsum("bij,btkj->btki", linear * scale[:, None, None], x)
    # A camera that pans otherwise.
    pan = rng.normal(size=(batch, 1, 1, 2)) * (rng.random((batch, 1, 1, 1)) < 0.3) * 0.05
    x = x + pan * (windows.torso * scale)[:, None, None, None] * np.arange(NUM_FRAMES)[:, None, None]
    x = (x + middle + rng.uniform(-100, 100, (batch, 1, 1, 2))).astype(np.float32)
    return Windows(x, visible, inside, torso_size(x))


class TrainingBatches:
    """Random windows of the training clips with a frame network's errors: features, boxes, labels."""

    CLEAN = 0.25  # share of windows without errors
    WORST = 0.9

    def __init__(self, clips: Clips, batch: int, rng: np.random.Generator) -> None:
        self.clips, self.batch, self.rng = clips, batch, rng
        self.lengths = np.diff(clips.offsets)
        # Between one window per clip and one per frame: long clips hold more movements, but not in proportion.
        weight = np.sqrt(self.lengths)
        # Rare actions as often as half-way to even.
        frequency = np.bincount(clips.labels, weights=weight, minlength=len(ACTIONS))
        weight = weight / np.sqrt(frequency[clips.labels])
        self.weight = weight / weight.sum()

    def draw(self) -> tuple[Floats, Floats, Ints]:
        """Features (B, T, 48), boxes (B, T, 4), labels (B,)."""
        rng = self.rng
        chosen = rng.choice(len(self.clips), self.batch, p=self.weight)
        frames = np.stack([self.clips.offsets[c] + random_window(int(self.lengths[c]), rng) for c in chosen])
        windows = vary(cut(self.clips, frames), rng)
        severity = rng.uniform(0.1, self.WORST, self.batch) * (rng.random(self.batch) >= self.CLEAN)
        features, boxes, _ = FrameErrors(rng).apply(windows, severity.astype(np.float32))
        return features, boxes, self.clips.labels[chosen]
