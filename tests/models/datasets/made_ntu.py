"""A tiny NTU RGB+D: in the form that its owners publish, and in that of deephar's annotations.

make(folder)                   # nturgb+d_numpy/<id>.npy, images-small/<id>/00001.jpg ...
make(folder, form="owners")    # nturgb+d_skeletons/<id>.skeleton, nturgb+d_rgb/<id>_rgb.avi
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.protocol.joints import NTU, PA17
from tests.models.datasets.stick_person import picture, pose

IDS = (
    "S001C001P001R001A001",  # cross-subject: train; cross-view: test
    "S001C002P001R001A002",  # train; train
    "S001C003P002R002A003",  # train; train
    "S001C001P003R001A001",  # test; test
    "S001C002P003R001A002",  # test; train
)
FULL_HD, SMALL = (1920, 1080), (960, 540)
ROOT_DEPTH_MM, FOCAL_PX = 3000.0, 1060.0
Floats = NDArray[np.float64]


def make(
    folder: Path,
    *,
    ids: Sequence[str] = IDS,
    frames: int = 48,
    form: Literal["deephar", "owners"] = "deephar",
    codec: str = "MJPG",
    second_body: bool = False,
    size: tuple[int, int] = SMALL,
) -> None:
    """Makes the data set.

    Args:
        folder: Is made where it is missing.
        ids: Of the sequences; the last three digits are the action, from 1.
        frames: Of each sequence.
        form: Of annotations and pictures.
        codec: Of the videos.
        second_body: Whether the skeleton files have another body, which stands still beside.
        size: Of pictures and videos; the owners' videos are `FULL_HD`, which takes longer to make. Annotations are
            always those of full HD.
    """
    for number, name in enumerate(ids):
        coordinates = [_coordinates(number, name, t) for t in range(frames)]
        if form == "owners":
            _write_skeleton(folder / "nturgb+d_skeletons" / f"{name}.skeleton", coordinates, second_body)
            _write_video(folder / "nturgb+d_rgb" / f"{name}_rgb.avi", number, name, frames, codec, size)
        else:
            _write_numpy(folder / "nturgb+d_numpy" / f"{name}.npy", coordinates)
            _write_pictures(folder / "images-small" / name, number, name, frames, size)


def _stick(number: int, name: str, frame: int, size: tuple[int, int]) -> Floats:
    width, height = size
    centre = (width * (0.4 + 0.04 * (number % 5) + 0.001 * frame), height * 0.52)
    return pose(int(name[-3:]) - 1, frame / 30, centre, 0.7 * height)


def _coordinates(number: int, name: str, frame: int) -> Floats:
    """Returns u, v in full-HD pixels and depth in mm: (25, 3), in NTU's order."""
    known = dict(zip(PA17, _stick(number, name, frame, FULL_HD), strict=True))
    for side in ("right", "left"):
        known |= {f"{side}_hand": known[f"{side}_wrist"] + (0, 12.0), f"{side}_foot": known[f"{side}_ankle"] + (9, 12)}
    uv = np.array([known[joint] if joint != "-" else known["right_hand"] + (3.0, 8.0) for joint in NTU])
    depth = ROOT_DEPTH_MM + 40 * np.sin(np.arange(25) + 0.2 * frame)
    return np.concatenate([uv, depth[:, None]], axis=1)


def _camera_m(coordinates: Floats) -> Floats:
    """Returns x, y, z in metres as the depth camera has them."""
    z = coordinates[:, 2:] / 1000
    return np.concatenate([(coordinates[:, :2] - np.array(FULL_HD) / 2) * (1, -1) * z / FOCAL_PX, z], axis=1)


def _write_numpy(file: Path, coordinates: list[Floats]) -> None:
    """Rows of 151: the frame's number from 1; x, y, z of 25 joints; u, v and depth of 25 joints."""
    file.parent.mkdir(parents=True, exist_ok=True)
    rows = [np.concatenate([[t + 1], _camera_m(c).T.ravel(), c.T.ravel()]) for t, c in enumerate(coordinates)]
    np.save(file, np.stack(rows))


def _write_pictures(folder: Path, number: int, name: str, frames: int, size: tuple[int, int]) -> None:
    folder.mkdir(parents=True)
    for t in range(frames):
        pixels = picture(_stick(number, name, t, size), size, 20 + 10 * (number % 10))
        Image.fromarray(pixels).save(folder / f"{t + 1:05d}.jpg", quality=85)


def _write_skeleton(file: Path, coordinates: list[Floats], second_body: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    still = coordinates[0] + (500.0, 0.0, 600.0)
    lines = [str(len(coordinates))]
    for c in coordinates:
        # The other one comes first: a place in the file says nothing.
        bodies = [("72057594037931101", still), ("72057594037931368", c)] if second_body else [("72057594037931368", c)]
        lines.append(str(len(bodies)))
        for body, joints in bodies:
            lines += [f"{body} 0 1 1 1 1 0 0.02764709 0.05745083 2", "25"]
            for xyz, (u, v, _) in zip(_camera_m(joints), joints, strict=True):
                numbers = (*xyz, u / 3.75, v / 2.55, u, v, -0.2059, 0.03134, 0.9745, -0.0833)
                lines.append(" ".join(f"{number:.7g}" for number in numbers) + " 2")
    file.write_text("\n".join(lines) + "\n")


def _write_video(file: Path, number: int, name: str, frames: int, codec: str, size: tuple[int, int]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*codec), 30, size)
    assert writer.isOpened()
    for t in range(frames):
        writer.write(picture(_stick(number, name, t, size), size, 20 + 10 * (number % 10))[..., ::-1])
    writer.release()
