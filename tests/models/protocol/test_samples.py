"""One sample of every data set, from its annotation to what the network sees and should say."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from models.protocol.boxes import clip_window, h36m_window, mpii_window
from models.protocol.camera import Camera, depth_to_crop, uvz_from_prediction
from models.protocol.clips import single_clip
from models.protocol.crop import CropPlan, cut, inside_crop, map_points, plan_crop
from models.protocol.joints import H36M, MPII, NTU, PA16, PA17, PENN, flip_indices, indices, spread
from models.protocol.window import Window, union
from tests.golden.functions.images import golden_image

VECTORS = np.load(Path(__file__).parent.parent.parent / "golden" / "functions" / "datasets.npz")
H36M_IMAGE, PENN_IMAGE, NTU_IMAGE = (1000, 1002), (480, 270), (960, 540)


def with_visibility(pose_crop: NDArray[np.float64], visible: NDArray[np.bool_]) -> NDArray[np.float64]:
    """As the original's loaders write it: (..., K, D + 1), coordinates of invisible joints -1e9."""
    return np.concatenate([np.where(visible[..., None], pose_crop, -1e9), visible[..., None]], axis=-1)


def same_frames(plan: CropPlan, names: Iterable[str], image_size: tuple[int, int], golden: str, step: int) -> bool:
    crops = [cut(golden_image(name, *image_size), plan)[::step, ::step] for name in names]
    return bool((np.squeeze(np.stack(crops)) == VECTORS[golden]).all())


def same(found: object, golden: str, tolerance: float = 1e-10) -> bool:
    return np.allclose(np.asarray(found, np.float64), VECTORS[golden], rtol=1e-13, atol=tolerance)


@pytest.mark.parametrize("mirror", [False, True])
def test_mpii(mirror: bool) -> None:
    prefix = f"mpii_flip{mirror:d}_out"
    window = mpii_window((150, 110), 0.8)
    plan = plan_crop((320, 240), window, mirror=mirror)
    pose_px = VECTORS["mpii_in_pose_mpii_order"][indices(MPII, PA16)]
    pose_crop = map_points(plan.affine, pose_px[flip_indices(PA16)] if mirror else pose_px)
    assert same(window.corners, f"{prefix}_bbox")
    assert same(plan.affine, f"{prefix}_afmat")
    assert same(with_visibility(pose_crop, inside_crop(pose_crop)), f"{prefix}_pose")
    assert same_frames(plan, ["functions/mpii_image"], (320, 240), f"{prefix}_frame4", 4)


def test_human36m() -> None:
    camera = Camera(*(VECTORS[f"h36m_in_cam_{name}"] for name in "RTfcpk"))
    world_mm = VECTORS["h36m_in_pose3d_32"][indices(H36M, PA17)]
    uvz = camera.project(world_mm)
    root_z_mm = uvz[0, 2]
    plan = plan_crop(H36M_IMAGE, h36m_window(uvz[0], H36M_IMAGE, camera.focal_px))
    pose_crop = map_points(plan.affine, uvz)
    truth = np.concatenate([pose_crop, depth_to_crop(uvz[:, 2], root_z_mm)[:, None]], axis=-1)
    assert same(camera.to_numbers(), "h36m_out_camera")
    assert same(world_mm, "h36m_out_pose_w")
    assert same(uvz, "h36m_out_pose_uvd", 1e-9)
    assert same(plan.affine, "h36m_out_afmat")
    assert same(with_visibility(truth, inside_crop(pose_crop)), "h36m_out_pose")
    assert same_frames(plan, ["functions/h36m_image"], H36M_IMAGE, "h36m_out_frame4", 4)
    assert np.allclose(uvz_from_prediction(truth, plan.affine, root_z_mm), uvz, rtol=0, atol=1e-9)


def test_penn_with_annotated_poses() -> None:
    frames = single_clip(100, 8, 6)
    visible = VECTORS["penn_in_visible13"] > 0
    pose_px = spread(np.where(visible[..., None], VECTORS["penn_in_pose13"], np.nan), PENN, PA16)  # (8, 16, 2)
    window = clip_window(pose_px, np.isfinite(pose_px).all(axis=-1), PENN_IMAGE)
    plan = plan_crop(PENN_IMAGE, window.at_least_smallest())
    pose_crop = map_points(plan.affine, pose_px)
    assert frames == VECTORS["penn_gt_out_frame_list"].tolist()
    assert same(window.corners, "penn_gt_out_bbox")
    assert same(plan.affine, "penn_gt_out_afmat")
    assert same(with_visibility(pose_crop, inside_crop(pose_crop)), "penn_gt_out_pose")
    names = [f"functions/penn_image/{frame}" for frame in frames]
    assert same_frames(plan, names, PENN_IMAGE, "penn_gt_out_frame8", 8)


def test_penn_with_predicted_boxes() -> None:
    boxes = VECTORS["penn_in_pred_bboxes"][single_clip(100, 8, 6)]
    window = union(Window.from_corners(*box) for box in boxes.tolist())
    assert same(window.corners, "penn_pred_out_bbox")
    assert same(plan_crop(PENN_IMAGE, window).affine, "penn_pred_out_afmat")


def test_penn_without_boxes() -> None:
    window = Window.of_whole_image(*PENN_IMAGE)
    assert same(window.corners, "penn_full_out_bbox")
    assert same(plan_crop(PENN_IMAGE, window).affine, "penn_full_out_afmat")


def test_ntu() -> None:
    frames = single_clip(60, 8, 4)
    rows = VECTORS["ntu_in_rows"]
    coordinates = rows[:, 1:].reshape(8, 3, 25).swapaxes(1, 2)[:, indices(NTU, PA17)]  # (8, 17, 3): u, v, depth
    uvz = coordinates * [0.5, 0.5, 1]  # images are used at half of full HD
    visible = (uvz > 0).all(axis=-1)
    plan = plan_crop(NTU_IMAGE, clip_window(uvz, visible, NTU_IMAGE))
    pose_crop = map_points(plan.affine, uvz)
    depth = depth_to_crop(uvz[..., 2], np.full(8, uvz[:, 0, 2].mean()))
    truth = np.concatenate([pose_crop, depth[..., None]], axis=-1)
    assert frames == VECTORS["ntu_out_frame_list"].tolist()
    assert same(plan.affine, "ntu_out_afmat")
    assert same(with_visibility(truth, visible & inside_crop(pose_crop)), "ntu_out_pose")
    names = [f"functions/ntu_image/{row[0]:.0f}" for row in rows]
    assert same_frames(plan, names, NTU_IMAGE, "ntu_out_frame8", 8)
