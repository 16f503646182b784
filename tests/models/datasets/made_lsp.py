"""A tiny Leeds Sports Pose and a tiny Leeds Sports Pose Extended: joints.mat and images/im*.jpg."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

from models.protocol.joints import LSP
from tests.models.datasets.drawn import picture, save, standing_px

OCCLUDED, ABSENT = 6, 11  # the joint that is occluded in LSP, and the one that is not annotated in LSPET


def make(folder: Path, people: int = 6, *, extended: bool = False, seed: int = 1) -> None:
    """A data set of so many people, one a picture.

    Args:
        folder: Of the data set.
        people: Their number; LSP's first half is for training.
        extended: Whether it is LSPET, whose array has other axes and whose flags have another sense.
        seed: Of the poses.
    """
    generator = np.random.default_rng(seed)
    joints = np.zeros((people, 14, 3))
    for at in range(people):
        size = (int(generator.integers(110, 150)), int(generator.integers(180, 220)))
        pose = standing_px(LSP, (size[0] / 2, size[1] / 2), 150, generator)
        digits = 5 if extended else 4
        save(folder / "images" / f"im{at + 1:0{digits}d}.jpg", picture(size, LSP, [pose], generator))
        joints[at, :, :2] = pose
        joints[at, :, 2] = 1 if extended else 0
        if at % 2 and extended:
            joints[at, ABSENT] = 0
        elif at % 2:
            joints[at, OCCLUDED, 2] = 1
    array = joints.transpose(1, 2, 0) if extended else joints.transpose(2, 1, 0)
    savemat(folder / "joints.mat", {"joints": array}, do_compression=True)
