"""Stick figures for made data sets: a body whose joints have names, and pictures of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.protocol.joints import Joints

Floats = NDArray[np.float64]
Pixels = NDArray[np.uint8]

# Across (the person's left is right in the picture), and up from the ankles; of a person of height 1.
BODY = {
    "pelvis": (0.0, 0.53), "thorax": (0.0, 0.81), "neck": (0.0, 0.85), "head": (0.0, 1.0), "spine": (0.0, 0.66),
    "right_shoulder": (-0.12, 0.82), "right_elbow": (-0.2, 0.66), "right_wrist": (-0.24, 0.52),
    "right_hand": (-0.25, 0.47), "right_hip": (-0.07, 0.53), "right_knee": (-0.09, 0.29), "right_ankle": (-0.1, 0.05),
    "right_foot": (-0.14, 0.0),
}  # fmt: skip
LIMBS = (
    *(("head", "neck"), ("neck", "pelvis")),
    *((f"{side}_{a}", f"{side}_{b}") for side in ("right", "left") for a, b in (
        ("shoulder", "elbow"), ("elbow", "wrist"), ("hip", "knee"), ("knee", "ankle"),
    )),
)  # fmt: skip


def body(joints: Joints, generator: np.random.Generator, looseness: float = 0.02) -> Floats:
    """A standing person (K, 2) of height 1: across and up. Joints without a name lie at the pelvis."""
    names = ["pelvis" if name == "-" else name for name in joints]
    places = [BODY[name.replace("left_", "right_")] for name in names]
    sides = [-1 if name.startswith("left_") else 1 for name in names]
    at_rest = np.array([(x * side, y) for (x, y), side in zip(places, sides, strict=True)])
    return at_rest + generator.normal(0, looseness, at_rest.shape)


def standing_px(joints: Joints, centre_px: Sequence[float], height_px: float, generator: np.random.Generator) -> Floats:
    """A person (K, 2) in pixels of a picture, the body's middle at the centre."""
    across_up = body(joints, generator) - (0, 0.5)
    return np.asarray(centre_px) + across_up * (height_px, -height_px)


def picture(
    size: tuple[int, int], joints: Joints, people_px: Sequence[Floats], generator: np.random.Generator
) -> Pixels:
    """People (K, 2) as stick figures, each limb of a colour of its own, on a plain background."""
    image = Image.new("RGB", size, tuple(int(value) for value in generator.integers(150, 220, 3)))
    draw = ImageDraw.Draw(image)
    places = {name: at for at, name in enumerate(joints)}
    for person in people_px:
        width = max(2, int(np.ptp(person[:, 1]) / 20)) if np.isfinite(person).all() else 4
        for at, (start, end) in enumerate(LIMBS):
            if start in places and end in places:
                ends = person[[places[start], places[end]]]
                if np.isfinite(ends).all():
                    draw.line([*map(float, ends.ravel())], fill=(25 * at, 255 - 25 * at, 60 * (at % 4)), width=width)
    return np.array(image)


def save(file: Path, pixels: Pixels, *, lossless: bool = False) -> None:
    """Writes a picture. `lossless` is PNG under whatever name: readers go by content."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(file, "PNG" if lossless else "JPEG", **({} if lossless else {"quality": 95}))


def structs(rows: Sequence[dict[str, object]], shape: tuple[int, int]) -> NDArray[np.void]:
    """A MATLAB struct array of this shape, for scipy.io.savemat."""
    array = np.empty(shape, [(name, object) for name in rows[0]])
    for place, row in zip(np.ndindex(*shape), rows, strict=True):
        for name, value in row.items():
            array[place][name] = value
    return array
