"""The samples of the golden vectors as data sets on disk, and what the original's loaders make of a clip."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.io
from numpy.typing import NDArray

from models.datasets.samples import Clip
from models.protocol.crop import CropPlan, cut, inside_crop, map_points, plan_crop
from models.protocol.joints import indices, spread
from models.protocol.labels import PENN_ACTIONS
from tests.golden.functions.images import golden_image
from tests.models.datasets.drawn import save, structs

FUNCTIONS = Path(__file__).parent.parent.parent / "golden" / "functions"
VECTORS = np.load(FUNCTIONS / "datasets.npz")
PENN_SIZE, NTU_SIZE = (480, 270), (960, 540)
NTU_ID = "S001C001P001R001A010"
Floats = NDArray[np.float64]


def write_penn(folder: Path, form: str) -> None:
    """Penn Action with the vectors' sequence, the only one, in train and in test."""
    known = VECTORS["penn_gt_out_frame_list"].tolist()
    nearest = [min(range(8), key=lambda at: abs(known[at] - frame)) for frame in range(100)]
    poses, visible = VECTORS["penn_in_pose13"][nearest], VECTORS["penn_in_visible13"][nearest]
    for frame in known:
        name = f"functions/penn_image/{frame}"
        save(folder / "frames" / "0007" / f"{frame + 1:06d}.jpg", golden_image(name, *PENN_SIZE), lossless=True)
    if form == "deephar":
        frames = [
            {"f": t + 1, "w": PENN_SIZE[0], "h": PENN_SIZE[1], "pose": poses[t].T, "visible": visible[t][:, None]}
            for t in range(100)
        ]
        sequence = structs([{"idx": 7, "action_id": 4, "frames": structs(frames, (1, 100))}], (1, 1))
        cells = np.empty((1, len(PENN_ACTIONS)), object)
        cells[0] = PENN_ACTIONS
        fields: dict[str, object] = {
            "sequences_te": sequence,
            "sequences_tr": sequence,
            "action_labels": cells,
            "joint_labels": cells,
        }
        scipy.io.savemat(folder / "annotations.mat", fields)
    else:
        (folder / "labels").mkdir(parents=True, exist_ok=True)
        fields = {
            "action": PENN_ACTIONS[3],
            "pose": "front",
            "x": poses[..., 0],
            "y": poses[..., 1],
            "visibility": visible.astype(np.uint8),
            "train": np.int8(-1),
            "dimensions": np.array([PENN_SIZE[1], PENN_SIZE[0], 100], np.uint16),
            "nframes": np.uint8(100),
        }
        scipy.io.savemat(folder / "labels" / "0007.mat", fields)
    boxes = {f"0.{frame}": box for frame, box in enumerate(VECTORS["penn_in_pred_bboxes"].tolist())}
    (folder / "boxes.json").write_text(json.dumps([boxes, {}, {}]))


def write_ntu(folder: Path) -> None:
    """NTU RGB+D with the vectors' sequence of 60 frames, the only one."""
    rows = np.zeros((60, 151))
    rows[:, 0] = np.arange(60) + 1
    known = VECTORS["ntu_out_frame_list"].tolist()
    rows[np.ix_(known, [0, *range(76, 151)])] = VECTORS["ntu_in_rows"]
    (folder / "nturgb+d_numpy").mkdir(parents=True)
    np.save(folder / "nturgb+d_numpy" / f"{NTU_ID}.npy", rows)
    for number in rows[known, 0].astype(int):
        picture = golden_image(f"functions/ntu_image/{number}", *NTU_SIZE)
        save(folder / "images-small" / NTU_ID / f"{number:05d}.jpg", picture, lossless=True)


def plan_of(clip: Clip, frames: Sequence[int]) -> CropPlan:
    """The crop that the original's evaluation takes of a clip."""
    return plan_crop(clip.image_size, clip.window_of(frames))


def poses_crop(clip: Clip, frames: Sequence[int], plan: CropPlan, joints: Sequence[str]) -> Floats:
    """The truth of a clip in a network's joints as the original's loaders write it, without depth: (T, K, 3)."""
    points = clip.keypoints[list(frames)]
    known = [joint for joint in joints if joint in clip.joints]
    points = spread(points[:, indices(clip.joints, known)], known, joints)
    crop = map_points(plan.affine, points)
    visible = inside_crop(crop)
    return np.concatenate([np.where(visible[..., None], crop, -1e9), visible[..., None]], axis=-1)


def crops(clip: Clip, frames: Sequence[int], plan: CropPlan) -> NDArray[np.uint8]:
    """Every eighth row and column of the clip's crops."""
    return np.stack([cut(clip.read(frame), plan)[::8, ::8] for frame in frames])
