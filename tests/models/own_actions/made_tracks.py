"""Made people who move their arms or their legs, as a service sees them: what tests learn from without videos."""

from __future__ import annotations

import numpy as np

from models.lite.layout import BODY_ANKLES, BODY_ELBOWS, BODY_KNEES, BODY_WRISTS, INTERVAL_S
from models.own_actions.tracks import Track

# Head, then right and left shoulder, elbow, wrist, hip, knee, ankle, of a person who stands.
STANDING = np.array(
    [
        *((0, -90), (-20, -60), (20, -60), (-25, -30), (25, -30), (-28, 0), (28, 0)),
        *((-12, 0), (12, 0), (-13, 45), (13, 45), (-14, 90), (14, 90)),
    ],
    np.float32,
)
MOVED = {
    "wave": np.concatenate([BODY_ELBOWS, BODY_WRISTS]),
    "kick": np.concatenate([BODY_KNEES, BODY_ANKLES]),
    "stand": np.array([], np.int64),
}


def track(action: str, seed: int, frames: int = 40) -> Track:
    """The track of a person who waves, kicks or stands, at a place, size and pace of their own."""
    rng = np.random.default_rng(seed)
    time_s = (np.arange(frames) * INTERVAL_S).astype(np.float32)
    swing = np.sin(time_s * rng.uniform(4, 6) + rng.uniform(0, 6))[:, None, None]
    joints = np.repeat(STANDING[None], frames, axis=0)
    joints[:, MOVED[action]] += swing * np.array([30.0, -30.0], np.float32)
    placed = joints * rng.uniform(0.7, 1.4) + rng.uniform(150, 400, 2) + rng.normal(size=joints.shape)
    scores = rng.uniform(0.7, 0.95, placed.shape[:2])
    return Track(time_s, np.ones(frames, np.int64), placed.astype(np.float32), scores.astype(np.float32))
