"""Without a variation, a sample's crop and truth are those of the original's loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.datasets.clip_windows import WholeImage
from models.datasets.samples import Clip, H36mPerson, Person
from models.protocol import joints
from models.protocol.boxes import h36m_window, mpii_window
from models.protocol.camera import Camera
from models.protocol.crop import to_network_range
from models.training import examples
from models.training.augmentation import Variation
from models.training.examples import Example
from tests.golden.functions.images import golden_image

VECTORS = np.load(Path(__file__).parents[2] / "golden" / "functions" / "datasets.npz")
MPII_IMAGE, H36M_IMAGE, PENN_IMAGE, NTU_IMAGE = (320, 240), (1000, 1002), (480, 270), (960, 540)


def check(example: Example, pose: str, frames: str, step: int) -> None:
    """Poses with visibility as the last column, and every so many pixels."""
    golden = VECTORS[pose].reshape((*example.poses.shape[:2], -1))
    np.testing.assert_allclose(example.poses, golden[..., :-1], rtol=0, atol=1e-6)
    assert ((example.visibility == 1) == golden[..., -1]).all()
    pixels = to_network_range(VECTORS[frames].reshape(len(example.pictures), 256 // step, 256 // step, 3))
    np.testing.assert_array_equal(example.pictures[..., ::step, ::step], pixels.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("mirror", [False, True])
def test_mpii(mirror: bool) -> None:
    person = Person(
        key="made",
        image_size=MPII_IMAGE,
        read=lambda: golden_image("functions/mpii_image", *MPII_IMAGE),
        joints=joints.MPII,
        keypoints_px=VECTORS["mpii_in_pose_mpii_order"],
        visible=np.ones(16, bool),
        window=mpii_window((150, 110), 0.8),
    )
    example = examples.of_person(person, joints.PA16, 2, Variation(mirror=mirror))
    check(example, f"mpii_flip{mirror:d}_out_pose", f"mpii_flip{mirror:d}_out_frame4", 4)


def test_human36m() -> None:
    camera = Camera(*(VECTORS[f"h36m_in_cam_{name}"] for name in "RTfcpk"))
    world = VECTORS["h36m_in_pose3d_32"]
    uvz = camera.project(world)
    person = H36mPerson(
        key="made",
        image_size=H36M_IMAGE,
        read=lambda: golden_image("functions/h36m_image", *H36M_IMAGE),
        joints=joints.H36M,
        keypoints_px=uvz[:, :2],
        visible=np.ones(32, bool),
        window=h36m_window(uvz[joints.H36M.index("pelvis")], H36M_IMAGE, camera.focal_px),
        world_mm=world,
        uvz=uvz,
        camera=camera,
        action=1,
    )
    check(examples.of_person(person, joints.PA17, 3, Variation()), "h36m_out_pose", "h36m_out_frame4", 4)


def test_penn_action() -> None:
    visible = VECTORS["penn_in_visible13"] > 0
    keypoints = np.where(visible[..., None], VECTORS["penn_in_pose13"], np.nan)
    names = [f"functions/penn_image/{frame}" for frame in VECTORS["penn_gt_out_frame_list"]]
    clip = clip_of(keypoints, visible, joints.PENN, names, PENN_IMAGE)
    check(examples.of_clip(clip, range(8), joints.PA16, 2, Variation()), "penn_gt_out_pose", "penn_gt_out_frame8", 8)


def test_ntu() -> None:
    rows = VECTORS["ntu_in_rows"]
    uvz = rows[:, 1:].reshape(8, 3, 25).swapaxes(1, 2) * [0.5, 0.5, 1]
    visible = (uvz > 0).all(axis=-1)
    names = [f"functions/ntu_image/{row[0]:.0f}" for row in rows]
    clip = clip_of(np.where(visible[..., None], uvz, np.nan), visible, joints.NTU, names, NTU_IMAGE)
    check(examples.of_clip(clip, range(8), joints.PA17, 3, Variation()), "ntu_out_pose", "ntu_out_frame8", 8)


def clip_of(
    keypoints: NDArray[Any],
    visible: NDArray[np.bool_],
    names: joints.Joints,
    pictures: list[str],
    size: tuple[int, int],
) -> Clip:
    return Clip(
        key="made",
        action=0,
        frames=len(keypoints),
        image_size=size,
        read=lambda frame: golden_image(pictures[frame], *size),
        joints=names,
        keypoints=keypoints,
        visible=visible,
        window_of=WholeImage(size),  # training takes its windows from the poses
    )
