"""People in three dimensions for the lift's tests: standing, with their limbs a little turned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.lite.frame import error_bank
from models.lite.frame.error_bank import ErrorBank
from models.lite.lift import data as lift_data
from models.lite.lift.data import Floats

STANDING = np.array(
    [
        [0, 0, 0],
        [0, -480, 0],
        [0, -570, 0],
        [0, -790, -30],
        [-190, -480, 0],
        [190, -480, 0],
        [-220, -180, 0],
        [220, -180, 0],
        [-230, 60, -40],
        [230, 60, -40],
        [-100, 0, 0],
        [100, 0, 0],
        [-110, 420, -20],
        [110, 420, -20],
        [-110, 840, 20],
        [110, 840, 20],
    ],
    np.float32,
)


def some_bodies(seed: int, count: int = 6) -> Floats:
    """Standing people with bones a little turned."""
    rng = np.random.default_rng(seed)
    bones = lift_data.to_bones(np.tile(STANDING, (count, 1, 1)))
    return lift_data.to_joints(bones + rng.normal(0, 30, bones.shape).astype(np.float32))


def some_bank(count: int = 30) -> ErrorBank:
    rng = np.random.default_rng(4)
    joints, _ = error_bank.to_torsos(some_bodies(4, count)[..., :2])
    errors = rng.normal(0, 0.1, (count, 16, 2)).astype(np.float32)
    return ErrorBank(errors, rng.random((count, 16), np.float32), joints, np.ones((count, 16), bool))


def write_cmu(folder: Path) -> None:
    """Three made sequences of CMU's 38 joints, one of them for tests: STANDING with its limbs a little turned."""
    joints = some_bodies(3, 30) * np.array([1e-3, -1e-3, -1e-3], np.float32)  # metres, y up
    xyz = np.zeros((30, 38, 3), np.float32)
    xyz[:, lift_data.CMU_LIMBS] = joints[:, 4:]
    for joint, source in ((lift_data.CMU_LOWER_NECK, 1), (lift_data.CMU_UPPER_NECK, 2), (lift_data.CMU_HEAD, 3)):
        xyz[:, joint] = joints[:, source]
    np.savez(
        folder / lift_data.CMU_FILE,
        xyz=xyz,
        offsets=np.array([0, 10, 20, 30]),
        action=np.array(["walking", "walking", "running"]),
        split=np.array(["train", "test", "train"]),
        filename=np.array(["walking_1.txt", "walking_1.txt", "running_1.txt"]),
    )
