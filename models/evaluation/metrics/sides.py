"""How often a network takes a person's left for the right: shown beside every PCK, which hides it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.tally import Tally, tally


def side_pairs(joints: Sequence[str]) -> list[tuple[int, int]]:
    """The indices (left, right) of the joints that come in pairs, by name."""
    places = {joint: place for place, joint in enumerate(joints)}
    return [
        (places[joint], places[f"right_{joint.removeprefix('left_')}"])
        for joint in joints
        if joint.startswith("left_") and f"right_{joint.removeprefix('left_')}" in places
    ]


def side_exchange(predicted: ArrayLike, truth: ArrayLike, valid: ArrayLike, joints: Sequence[str]) -> Tally:
    """The share of left/right pairs that fit better when exchanged, by the sum of both distances.

    Args:
        predicted: (N, K, D), D of 2 or 3, in pixels or mm.
        truth: (N, K, D).
        valid: (N, K). A pair counts where both joints do and both are predicted.
        joints: Names of the K joints.

    Returns:
        A column for each of `side_pairs(joints)`.
    """
    guess, true = np.asarray(predicted, np.float64), np.asarray(truth, np.float64)
    left, right = np.array(side_pairs(joints), np.intp).reshape(-1, 2).T

    def distance(of: NDArray[np.intp], to: NDArray[np.intp]) -> NDArray[np.float64]:
        return np.linalg.norm(guess[:, of] - true[:, to], axis=-1)

    straight, exchanged = distance(left, left) + distance(right, right), distance(left, right) + distance(right, left)
    known = np.asarray(valid, bool) & np.isfinite(guess).all(axis=-1)
    return tally(exchanged < straight, known[:, left] & known[:, right])
