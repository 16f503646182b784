"""Smoothing of the keypoints of a track: the One-Euro filter (Casiez, Roussel, Vogel, CHI 2012), by time stamps.

A low-pass filter whose cutoff rises with speed: little jitter at rest, little lag in motion. Speeds are in body sizes a
second, so that the constants suit people near and far. Joints with low scores have less weight.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

MIN_CUTOFF_HZ = 1.2
CUTOFF_PER_SPEED = 6.0  # Hz per body size a second
SPEED_CUTOFF_HZ = 1.0  # of the filter of the speed itself
TRUSTED = 0.5  # score from which a joint has full weight
LONGEST_GAP_S = 0.5  # after a longer gap the filter starts anew


class KeypointSmoother:
    """The filter of one person's keypoints. Speed is measured in x and y, the first two of D coordinates."""

    def __init__(self) -> None:
        self._time_s = -np.inf
        self._value = np.zeros((0, 0))
        self._speed = np.zeros((0, 0))

    def smooth(self, coordinates: Array, scores: Array, time_s: float) -> Array:
        """Returns the smoothed coordinates of the next frame.

        Args:
            coordinates: (K, D), x and y in pixels first; depth in millimetres may follow.
            scores: (K,).
            time_s: Media time of the frame.

        Returns:
            Coordinates (K, D) in the same units.
        """
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
    """Returns the weight of a new value in a low-pass filter of this cutoff, after this time."""
    return np.asarray(1 / (1 + 1 / (2 * np.pi * cutoff_hz * passed_s)))
