"""A tiny Human3.6M in the form of deephar's release: annotations.mat, and the videos' frames as JPEG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.io import savemat

from models.protocol.camera import Camera
from models.protocol.joints import H36M
from tests.models.datasets.drawn import Floats, Pixels, body, picture, save, structs

IMAGE = (1000, 1002)
# About those of Human3.6M: 5 m away, at breast height, looking along the world's x axis.
CAMERA = Camera(
    rotation=np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [-1.0, 0.0, 0.0]]),
    position_mm=np.array([5000.0, 0.0, 1000.0]),
    focal_px=np.array([1145.0, 1143.8]),
    centre_px=np.array([512.5, 515.5]),
    tangential=np.array([-0.00098, -0.0014]),
    radial=np.array([-0.207, 0.248, -0.003]),
)
ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases", "Sitting", "SittingDown"),
    *("Smoking", "TakingPhoto", "Waiting", "Walking", "WalkingDog", "WalkTogether"),
)


@dataclass(frozen=True)
class MadeFrame:
    """A frame with its pose."""

    number: int  # in the video, from 1
    world_mm: Floats  # (32, 3)
    pixels: Pixels | None = None  # None: drawn


@dataclass(frozen=True)
class MadeSequence:
    """A video of one camera."""

    name: str  # "a02_s09_e01_c01"
    frames: list[MadeFrame]
    camera: Camera = CAMERA
    image_size: tuple[int, int] = IMAGE


def drawn_sequence(name: str, numbers: Sequence[int], seed: int) -> MadeSequence:
    """A person who stands about the world's origin."""
    generator = np.random.default_rng(seed)
    frames = []
    for number in numbers:
        across_up = body(H36M, generator) * 1700
        depth = generator.normal(0, 60, len(H36M))
        place = generator.normal(0, 300, 2)
        frames.append(MadeFrame(number, np.stack([depth + place[0], across_up[:, 0] + place[1], across_up[:, 1]], -1)))
    return MadeSequence(name, frames)


def write(
    folder: Path, splits: dict[str, list[MadeSequence]], images: str = "images", *, lossless: bool = False
) -> None:
    """Writes annotations and pictures.

    Args:
        folder: Of the data set.
        splits: The sequences of "test", "train" and "val".
        images: The folder of the pictures.
        lossless: Whether pictures keep their pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    variables: dict[str, object] = {
        f"sequences_{short}": structs([fields(one) for one in splits[split]], (1, len(splits[split])))
        for split, short in (("test", "te"), ("train", "tr"), ("val", "val"))
    }
    # From 0; a sequence's name counts from 1, and its first action is no action but a recording for scale.
    variables["action_labels"] = np.array(["-", *ACTIONS], object)[None]
    variables["joint_labels"] = np.array(H36M, object)[None]
    savemat(folder / "annotations.mat", variables, do_compression=True)
    generator = np.random.default_rng(0)
    for one in {one.name: one for some in splits.values() for one in some}.values():
        for frame in one.frames:
            pixels = frame.pixels
            if pixels is None:
                pose_px = one.camera.project(frame.world_mm)[:, :2]
                pixels = picture(one.image_size, H36M, [pose_px], generator)
            save(folder / images / one.name / f"{frame.number:05d}.jpg", pixels, lossless=lossless)


def make(folder: Path, frames: int = 3, seed: int = 1) -> None:
    """Two sequences to train on, two of subjects 9 and 11 to test on, each of so many frames."""
    numbers = range(1, 64 * frames, 64)
    train = [drawn_sequence(name, numbers, seed + at) for at, name in enumerate(("a03_s01_e01_c02", "a14_s05_e02_c01"))]
    test = [drawn_sequence(name, numbers, seed - at) for at, name in enumerate(("a02_s09_e01_c01", "a16_s11_e02_c04"))]
    write(folder, {"train": train, "test": test, "val": test})


def fields(one: MadeSequence) -> dict[str, object]:
    camera = one.camera
    parameters: dict[str, object] = {
        "R": camera.rotation, "T": camera.position_mm[:, None], "f": camera.focal_px[None], "c": camera.centre_px[None],
        "k": camera.radial[None], "p": camera.tangential[None],
    }  # fmt: skip
    width, height = one.image_size
    frames: list[dict[str, object]] = [
        {"f": frame.number, "w": width, "h": height, "pose3d": frame.world_mm.T} for frame in one.frames
    ]
    return {
        "name": one.name,
        "camera_parameters": structs([parameters], (1, 1)),
        "frames": structs(frames, (1, len(frames))),
    }
