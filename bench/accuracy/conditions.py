"""What works and what does not: how many joints of the same people are right when they are small, grey, turned, drawn.

    .venv/bin/python -m bench.accuracy.conditions

Starts a service and sends it LSP's held-out people as they are and changed. Prints the tables of docs/what_works.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from deephar import Client
from numpy.typing import NDArray

from bench.accuracy import command_line
from bench.accuracy.pose import Floats, Image, ask, png
from bench.accuracy.search import SEEN_OVERLAP, overlap, put_small
from models.lite.frame import data as pose_data
from models.lite.frame.data import LSP_TO_PA16, People
from models.lite.frame.torso import torso_size
from service.testing.running import running_service
from service.vision.boxes import box_around

PEOPLE = 100
HEIGHTS_PX = (200, 120, 80, 60, 50, 40, 30, 20)
PICTURE_HEIGHT_PX = 480
SEED = 5


@dataclass(frozen=True)
class Shares:
    """Of people under one condition.

    Attributes:
        with_box: Joints that are right where the person's box is sent.
        found: People who are found without a box.
        of_found: Joints of those who are found that are right.
    """

    with_box: float
    found: float
    of_found: float

    def __str__(self) -> str:
        return " | ".join(f"{100 * share:.0f} %" for share in (self.with_box, self.found, self.of_found))


def measured(client: Client, people: People) -> Shares:
    with_box = ask(client, people, with_boxes=True)
    rows, hits = [], []
    for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
        answers = client.pose(png(image), layout="pa16").people
        best = max(answers, key=lambda person: overlap(person, joints[valid]), default=None)
        is_found = best is not None and overlap(best, joints[valid]) >= SEEN_OVERLAP
        rows.append(is_found)
        if best is not None and is_found:
            distance = np.linalg.norm(best.to_numpy().keypoints[0, :, :2] - joints, axis=1)
            near = distance < pose_data.HIT_TORSO * torso_size(joints, valid)
            hits.append(near[LSP_TO_PA16][valid[LSP_TO_PA16]])
    known = people.valid[:, LSP_TO_PA16]
    right = float(with_box.hits[:, LSP_TO_PA16][known].mean())
    return Shares(right, float(np.mean(rows)), float(np.concatenate(hits).mean()) if hits else 0.0)


def small(people: People, places: list[Image], height_px: int) -> People:
    """The people in photographs of 480 pixels' height, each so high."""
    rng = np.random.default_rng(SEED)
    images, moved = [], []
    for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
        place = places[rng.integers(len(places))]
        picture, there = put_small(image, joints, valid, place, rng, height_px / PICTURE_HEIGHT_PX)
        images.append(picture)
        moved.append(there)
    return People(images, np.stack(moved), people.valid)


def changed(people: People, change: Callable[[Image], NDArray[np.uint8]]) -> People:
    return replace(people, images=[np.asarray(change(image), np.uint8) for image in people.images])


def turned(people: People, quarters: int) -> People:
    """The people turned against the clock."""
    images = [np.ascontiguousarray(np.rot90(image, quarters)) for image in people.images]
    joints = [_turned(points, image, quarters) for points, image in zip(people.joints, people.images, strict=True)]
    return People(images, np.stack(joints), people.valid)


def _turned(points: Floats, image: Image, quarters: int) -> Floats:
    height, width = image.shape[:2]
    for _ in range(quarters):
        points = np.stack([points[:, 1], width - 1 - points[:, 0]], axis=1)
        width, height = height, width
    return points.astype(np.float32)


def grey(image: Image) -> Image:
    return np.asarray(cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)


def dark(image: Image) -> Image:
    return (image * 0.15).astype(np.uint8)


def blurred(image: Image) -> Image:
    return np.asarray(cv2.GaussianBlur(image, (0, 0), 3), np.uint8)


def compressed(image: Image) -> Image:
    jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 10])[1]
    return np.asarray(cv2.imdecode(jpeg, cv2.IMREAD_COLOR), np.uint8)


def painted(image: Image) -> Image:
    return np.asarray(cv2.stylization(image, sigma_s=60, sigma_r=0.45), np.uint8)


def sketched(image: Image) -> Image:
    drawing, _ = cv2.pencilSketch(image, sigma_s=60, sigma_r=0.07, shade_factor=0.05)
    return np.repeat(np.asarray(drawing, np.uint8)[..., None], 3, axis=2)


def outlined(image: Image) -> Image:
    return np.repeat(255 - np.asarray(cv2.Canny(image, 80, 160), np.uint8)[..., None], 3, axis=2)


def conditions(people: People) -> Iterator[tuple[str, People]]:
    yield "as they are", people
    for name, change in (
        ("grey", grey),
        ("dark: 15 % of the light", dark),
        ("out of focus (Gaussian, 3 px)", blurred),
        ("JPEG of quality 10", compressed),
        ("painted (edge-preserving filter)", painted),
        ("pencil sketch", sketched),
        ("outlines alone (Canny)", outlined),
    ):
        yield name, changed(people, change)
    yield "turned by a quarter, to the left", turned(people, 1)
    yield "turned by a quarter, to the right", turned(people, 3)
    yield "upside down", turned(people, 2)


def smallest_side(people: People) -> float:
    """Of the people's boxes, the median of the larger side in pixels."""
    boxes = [box_around(joints[valid]) for joints, valid in zip(people.joints, people.valid, strict=True)]
    return float(np.median([max(box.width, box.height) for box in boxes]))


def main() -> None:
    arguments = command_line.parse(__doc__, out=Path("build/lite"))
    people = pose_data.select(pose_data.load_held_out(arguments.data), range(PEOPLE))
    places = pose_data.load_backgrounds(arguments.data)
    print(f"{PEOPLE} people, {smallest_side(people):.0f} px (median)")
    head = "joints right, box sent | found without a box | joints right of those\n|---|---|---|---|"
    with running_service() as service, Client(service.grpc_address) as client:
        print(f"| larger side of the person, in a picture of 480 px | {head}")
        for height in HEIGHTS_PX:
            print(f"| {height} px | {measured(client, small(people, places, height))} |", flush=True)
        print(f"| the same people | {head}")
        for name, some in conditions(people):
            print(f"| {name} | {measured(client, some)} |", flush=True)


if __name__ == "__main__":
    main()
