"""Keypoints of a video without jitter: the One-Euro filter (Casiez, Roussel, Vogel, CHI 2012), by time stamps.

A low-pass filter whose cutoff rises with speed: a joint that rests does not tremble, one that moves is not late. Speeds
are in sizes of the body a second, so that the same numbers do for people near and far. Joints with low scores are
trusted less: they move the filter by their score's share.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MIN_CUTOFF_HZ = 1.2
CUTOFF_PER_SPEED = 6.0  # Hz for each body size a second
SPEED_CUTOFF_HZ = 1.0
TRUSTED = 0.5  # score from which a joint is believed wholly
LONGEST_GAP_S = 0.5  # after it nothing is known of the movement


class KeypointSmoother:
    """Of one person. Coordinates (K, D) may have any number of dimensions: depth is smoothed with x and y."""

    def __init__(self) -> None:
        self._time_s = -np.inf
        self._value = np.zeros((0, 0))
        self._speed = np.zeros((0, 0))

    def smooth(self, coordinates: Array, scores: Array, time_s: float) -> Array:
        """The coordinates (K, D) at `time_s`, later than the last; scores (K,)."""
        passed_s = time_s - self._time_s
        value = coordinates.astype(np.float64)
        size = max(float(np.ptp(value[:, :2], axis=0).max()), 1.0)
        if not 0 < passed_s <= LONGEST_GAP_S or self._value.shape != value.shape:
            self._value, self._speed = value, np.zeros_like(value)
        else:
            trust = np.clip(scores / TRUSTED, 0.05, 1.0)[:, None]
            speed = (value - self._value) / passed_s
            self._speed = self._speed + _share(SPEED_CUTOFF_HZ, passed_s) * (speed - self._speed)
            fast = np.linalg.norm(self._speed[:, :2], axis=1, keepdims=True) / size
            amount = trust * _share(MIN_CUTOFF_HZ + CUTOFF_PER_SPEED * fast, passed_s)
            self._value = self._value + amount * (value - self._value)
        self._time_s = time_s
        return self._value.astype(np.float32)


def _share(cutoff_hz: float | NDArray[np.float64], passed_s: float) -> NDArray[np.float64]:
    """The part of the way to the new value that a low-pass filter of this cutoff goes in this time."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff_hz * passed_s)))
