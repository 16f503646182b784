"""Samples from tiny data sets on disk, through the real loaders, are those of the original's loaders."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from models.datasets.catalogue import open_split
from models.protocol.camera import Camera, depth_to_crop
from models.protocol.crop import cut, inside_crop, map_points, plan_crop
from models.protocol.joints import H36M, MPII, PA16, PA17, flip_indices, indices
from tests.golden.functions.images import golden_image
from tests.models.datasets import made_h36m, made_mpii
from tests.models.protocol.test_samples import same, with_visibility

VECTORS = np.load(Path(__file__).parents[2] / "golden" / "functions" / "datasets.npz")


def test_mpii(tmp_path: Path) -> None:
    annotated: dict[str, object] = {
        "head": np.array([[120, 40, 150, 75]]),
        "objpos": np.array([[150, 110]]),
        "scale": 0.8,
        "pose": VECTORS["mpii_in_pose_mpii_order"].T,
    }
    golden = made_mpii.MadePicture("015601864.jpg", golden_image("functions/mpii_image", 320, 240), [annotated], [0])
    made_mpii.write(tmp_path, made_mpii.drawn_pictures("0", 1, seed=3), [golden], lossless=True)
    val = open_split("mpii", tmp_path, "val")
    person = val[0]
    assert len(val) == 1
    assert person.key == "015601864.jpg#0"
    assert person.image_size == (320, 240)
    assert same(person.head_size_px, "mpii_flip0_out_headsize")
    assert same(person.window.corners, "mpii_flip0_out_bbox")
    pose_px = person.keypoints_px[indices(person.joints, PA16)]
    assert person.joints == MPII
    assert (person.visible == np.isfinite(person.keypoints_px).all(axis=1)).all()
    for mirror in (False, True):
        prefix = f"mpii_flip{mirror:d}_out"
        plan = plan_crop(person.image_size, person.window, mirror=mirror)
        pose_crop = map_points(plan.affine, pose_px[flip_indices(PA16)] if mirror else pose_px)
        assert same(plan.affine, f"{prefix}_afmat")
        assert same(with_visibility(pose_crop, inside_crop(pose_crop)), f"{prefix}_pose")
        assert (cut(person.read(), plan)[::4, ::4] == VECTORS[f"{prefix}_frame4"]).all()


def test_human36m(tmp_path: Path) -> None:
    golden = made_h36m.MadeSequence(
        "a02_s09_e01_c01",
        [made_h36m.MadeFrame(65, VECTORS["h36m_in_pose3d_32"], golden_image("functions/h36m_image", 1000, 1002))],
        Camera(*(VECTORS[f"h36m_in_cam_{name}"] for name in "RTfcpk")),
        (1000, 1002),
    )
    other = made_h36m.drawn_sequence("a05_s01_e01_c02", [1, 2], seed=1)
    made_h36m.write(tmp_path, {"val": [golden], "test": [other], "train": [other]}, "images.new", lossless=True)
    val = open_split("h36m", tmp_path, "val")
    person = val[0]
    assert len(val) == 1
    assert person.key == "a02_s09_e01_c01/00065"
    assert person.action == VECTORS["h36m_out_action"]
    assert same(person.camera.to_numbers(), "h36m_out_camera")
    order = indices(person.joints, PA17)
    assert person.joints == H36M
    assert same(person.world_mm[order], "h36m_out_pose_w")
    assert same(person.uvz[order], "h36m_out_pose_uvd", 1e-9)
    assert (person.keypoints_px == person.uvz[:, :2]).all()
    plan = plan_crop(person.image_size, person.window)
    pose_crop = map_points(plan.affine, person.uvz[order])
    depth = depth_to_crop(person.uvz[order, 2], person.uvz[0, 2])
    truth = np.concatenate([pose_crop, depth[:, None]], axis=-1)
    assert same(plan.affine, "h36m_out_afmat")
    assert same(with_visibility(truth, inside_crop(pose_crop)), "h36m_out_pose")
    assert (cut(person.read(), plan)[::4, ::4] == VECTORS["h36m_out_frame4"]).all()
