"""Several views of one person, averaged: the papers' multi-crop test with mirrors.

The papers do not list their crops. `CROPS` are ours: the window, and the window moved by a twentieth of its side to the
left, to the right, up and down; each plain and mirrored. Poses are averaged in pixels of the picture, for the same
coordinates mean another place in each crop.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.protocol.joints import flip_indices
from models.protocol.window import Window

Floats = NDArray[np.float64]

SHIFT = 0.05
CROPS: tuple[tuple[float, float], ...] = ((0, 0), (-SHIFT, 0), (SHIFT, 0), (0, -SHIFT), (0, SHIFT))


@dataclass(frozen=True)
class View:
    """One of a person's views: a crop of the window, mirrored or not."""

    window: Window
    mirror: bool


def views_of(
    window: Window, *, crops: Sequence[tuple[float, float]] = CROPS, mirrors: Sequence[bool] = (False, True)
) -> list[View]:
    """The views of a window, to be cut by `plan_crop(..., view.window, mirror=view.mirror)`.

    Args:
        window: Of the single-crop protocol.
        crops: Shifts to the right and down in sides of the window.
        mirrors: Of each crop. `crops=[(0, 0)]` with both is the flip test alone.
    """
    return [
        View(
            Window(
                window.centre_x + dx * window.width, window.centre_y + dy * window.height, window.width, window.height
            ),
            mirror,
        )
        for dx, dy in crops
        for mirror in mirrors
    ]


def average_views(points: ArrayLike, mirrored: ArrayLike, joints: Sequence[str]) -> Floats:
    """The mean pose (..., K, D) of V views.

    Args:
        points: (V, ..., K, D), of each view through its own affine (`to_image_px`), which undoes the mirror in x: in
            pixels of the picture, and mm of depth in the third column. A view that is NaN in a joint does not count
            there.
        mirrored: (V,). In a mirrored view the network calls the person's left joints right: they are exchanged here.
        joints: Names of the K joints.
    """
    values = np.array(points, np.float64)
    flipped = np.asarray(mirrored, bool)
    values[flipped] = values[flipped][..., flip_indices(joints), :]
    known = np.isfinite(values)
    counts = known.sum(axis=0)
    sums = np.where(known, values, 0.0).sum(axis=0)
    return np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
