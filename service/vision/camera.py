"""Positions in space from keypoints and depths: a pinhole camera without distortion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidArgument

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Camera:
    """Focal lengths and principal point in pixels of the picture, and the depth of each person's root joint."""

    fx: float
    fy: float
    cx: float
    cy: float
    root_depths_mm: tuple[float, ...]  # along the optical axis; one for each person, or a single one for all

    def root_depth_mm(self, person: int) -> float:
        """Returns the depth of the root joint of the person with this index."""
        return self.root_depths_mm[person if len(self.root_depths_mm) > 1 else 0]


def check_camera(camera: Camera, people: int) -> None:
    """Checks that positions of so many people can be computed with a camera.

    Raises:
        InvalidArgument: A number is not finite or not positive, or the depths are not one for each person.
    """
    depths = camera.root_depths_mm
    if not all(math.isfinite(value) for value in (camera.fx, camera.fy, camera.cx, camera.cy, *depths)):
        raise InvalidArgument(
            "the camera holds a number that is not finite; send fx, fy, cx, cy in pixels and root_depth_mm in mm"
        )
    if camera.fx <= 0 or camera.fy <= 0:
        raise InvalidArgument("the camera's fx and fy must be greater than 0; send its focal lengths in pixels")
    if len(depths) not in (1, people):
        wanted = f"one for each of the {people} boxes, or a single one for all" if people > 1 else "exactly one"
        raise InvalidArgument(f"the camera has {len(depths)} values of root_depth_mm; send {wanted}")
    if min(depths) <= 0:
        raise InvalidArgument(
            "root_depth_mm must be greater than 0: how far the root joint (pelvis) is from the camera"
        )


def positions_mm(keypoints_px: Array, depths_mm: Array, camera: Camera, root_depth_mm: float) -> Array:
    """Returns keypoints in the camera's coordinates: x to the right, y down, z along the optical axis.

    Args:
        keypoints_px: (..., 2) in pixels of the picture.
        depths_mm: (...) from the plane of the root joint, positive behind it.
        camera: The camera that took the picture.
        root_depth_mm: Depth of the root joint along the optical axis.

    Returns:
        Positions (..., 3) in millimetres.

    Raises:
        InvalidArgument: A position is not finite.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        u, v = np.moveaxis(keypoints_px.astype(np.float64), -1, 0)
        z = root_depth_mm + depths_mm.astype(np.float64)
        x, y = (u - camera.cx) * z / camera.fx, (v - camera.cy) * z / camera.fy
        places = np.stack([x, y, z], axis=-1).astype(np.float32)
    if not np.isfinite(places).all():
        raise InvalidArgument("the camera's numbers are far too large or small; send pixels and mm of a real camera")
    return places
