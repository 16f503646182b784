"""Whole evaluations of a network's N blocks of poses, from the crop's coordinates: MPII and Human3.6M."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from models.evaluation.metrics.mpjpe import mpjpe
from models.evaluation.metrics.pck import pckh
from models.evaluation.metrics.tally import Tally
from models.protocol.camera import Camera, uvz_from_prediction
from models.protocol.crop import to_image_px
from models.protocol.joints import PA16

Floats = NDArray[np.float64]


def mpii_blocks(
    predicted_crop: ArrayLike,
    truth_px: ArrayLike,
    affine: ArrayLike,
    head_size_px: ArrayLike,
    valid: ArrayLike,
    *,
    joints: Sequence[str] = PA16,
    threshold: float = 0.5,
) -> list[Tally]:
    """PCKh of each block.

    Args:
        predicted_crop: (N blocks, S, K, >= 2) in 0..1 of the crop.
        truth_px: (S, K, >= 2) in pixels of the picture.
        affine: (S, 3, 3), from pixels to the crop.
        head_size_px: (S,) or (S, 1).
        valid: (S, K). The original counts the joints inside of the crop (`inside_crop`), the strict protocol all that
            are annotated.
        joints: Names of the K joints.
        threshold: In head sizes.
    """
    return [
        pckh(to_image_px(affine, block), truth_px, head_size_px, valid, threshold, joints=joints)
        for block in np.asarray(predicted_crop, np.float64)
    ]


@dataclass(frozen=True, eq=False)
class H36mScores:
    """MPJPE in mm on Human3.6M."""

    blocks: list[Tally]  # of S poses each
    reported: int  # the block of the table

    def per_action(self, actions: ArrayLike) -> dict[int, Tally]:
        """Of the reported block, by the actions (S,) that occur."""
        labels = np.asarray(actions).ravel()
        return {int(action): self.blocks[self.reported].rows(labels == action) for action in np.unique(labels)}


def h36m_blocks(
    predicted_crop: ArrayLike,
    truth_world_mm: ArrayLike,
    affine: ArrayLike,
    root_z_mm: ArrayLike,
    cameras: Sequence[Camera],
    *,
    strict: bool,
) -> H36mScores:
    """MPJPE of each block, and which of them is reported.

    Args:
        predicted_crop: (N blocks, S, K, >= 3) in 0..1 of the crop.
        truth_world_mm: (S, K, 3).
        affine: (S, 3, 3), from pixels to the crop.
        root_z_mm: (S,), true depths of the roots.
        cameras: S of them.
        strict: The root does not count and the last block is reported. The original counts the root, and reports the
            block that is best on this very data.
    """
    blocks = [
        mpjpe(world_mm(block, affine, root_z_mm, cameras), truth_world_mm, leave_out_root=strict)
        for block in np.asarray(predicted_crop, np.float64)
    ]
    return H36mScores(blocks, reported_block([block.mean for block in blocks], strict=strict, lowest=True))


def world_mm(predicted_crop: ArrayLike, affine: ArrayLike, root_z_mm: ArrayLike, cameras: Sequence[Camera]) -> Floats:
    """Predicted poses (S, K, >= 3) of crops in the world (S, K, 3)."""
    uvz = uvz_from_prediction(predicted_crop, affine, root_z_mm)
    return np.stack([camera.to_world_mm(pose) for camera, pose in zip(cameras, uvz, strict=True)])


def reported_block(values: Sequence[float], *, strict: bool, lowest: bool = False) -> int:
    """The block whose figure stands in the table.

    Args:
        values: One a block.
        strict: The last block, which is the network's result; the original takes the best on the test set itself.
        lowest: Whether the lowest value is the best.
    """
    if strict:
        return len(values) - 1
    return int(np.argmin(values) if lowest else np.argmax(values))
