"""Draws the samples: a person who does jumping jacks in a park, and people at a bus. Free to use, like the code.

.venv/bin/python samples/draw.py
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

HERE = Path(__file__).resolve().parent
WIDTH, HEIGHT, FPS, SECONDS = 640, 480, 25, 4.0
OVERSAMPLE = 2
SKIN, SHIRT, SHORTS, SHOE, HAIR = (224, 172, 138), (196, 44, 52), (38, 52, 92), (235, 235, 230), (58, 38, 28)

GROUND = 408  # row of the shadow
PEOPLE = (
    (0.00, 130, (196, 44, 52)),
    (0.16, 330, (40, 96, 150)),
    (0.45, 560, (226, 190, 60)),
    (0.04, 740, (70, 130, 80)),
)

Image = NDArray[np.uint8]
Colour = tuple[int, int, int]
Point = NDArray[np.float64]


def background(rng: np.random.Generator) -> Image:
    """Sky, a line of trees and grass, with the grain of a photograph."""
    scene = np.zeros((HEIGHT, WIDTH, 3), np.float64)
    rows = np.linspace(0, 1, HEIGHT)[:, None, None]
    scene[:] = (1 - rows) * np.array([150, 185, 225]) + rows * np.array([225, 230, 235])
    horizon = int(0.62 * HEIGHT)
    for x in range(-20, WIDTH + 20, 9):
        radius = int(rng.uniform(16, 44))
        green = np.array([60, 95, 50]) * rng.uniform(0.6, 1.15)
        cv2.circle(scene, (x, horizon - int(rng.uniform(0, 50))), radius, green.tolist(), -1)
    depth = np.linspace(0, 1, HEIGHT - horizon)[:, None, None]
    scene[horizon:] = (1 - depth) * np.array([120, 150, 80]) + depth * np.array([92, 128, 62])
    grass = cv2.GaussianBlur(rng.normal(0, 1, (HEIGHT, WIDTH)), (0, 0), 1.2)
    scene[horizon:] += 22 * grass[horizon:, :, None]
    scene = cv2.GaussianBlur(scene, (0, 0), 1.5) + rng.normal(0, 3, scene.shape)
    return np.clip(scene, 0, 255).astype(np.uint8)


def moved(point: Point, x: float, y: float) -> Point:
    return point + np.array([x, y])


def pose(phase: float) -> dict[str, Point]:
    """Joints in pixels at a phase 0..1 of a jumping jack: 0 arms down and feet together, 0.5 arms up and feet apart."""
    spread = 0.5 - 0.5 * np.cos(2 * np.pi * phase)
    hop = 14 * abs(np.sin(2 * np.pi * phase))
    hips = np.array([WIDTH * 0.5, 262.0 - hop + 8 * spread])
    joints = {"hips": hips, "neck": hips - [0, 92], "head": hips - [0, 124]}
    for side, sign in (("right", -1), ("left", 1)):  # seen from the front: the person's right is at the picture's left
        shoulder = joints["neck"] + [sign * 31, 8]
        arm = np.deg2rad(12 + 146 * spread)  # from straight down
        fore = np.deg2rad(6 + 166 * spread)
        elbow = shoulder + 47 * np.array([sign * np.sin(arm), np.cos(arm)])
        wrist = elbow + 43 * np.array([sign * np.sin(fore), np.cos(fore)])
        hip = moved(hips, sign * 16, 4)
        leg = np.deg2rad(3 + 22 * spread)
        knee = hip + 68 * np.array([sign * np.sin(leg), np.cos(leg)])
        ankle = knee + 66 * np.array([sign * np.sin(leg * 1.05), np.cos(leg * 1.05)])
        named = {"shoulder": shoulder, "elbow": elbow, "wrist": wrist, "hip": hip, "knee": knee, "ankle": ankle}
        joints |= {f"{side}_{name}": point for name, point in named.items()}
    return joints


def draw_person(scene: Image, joints: dict[str, Point], shirt: Colour = SHIRT) -> Image:
    large = cv2.resize(scene, None, fx=OVERSAMPLE, fy=OVERSAMPLE, interpolation=cv2.INTER_LINEAR)

    def at(point: Point) -> tuple[int, int]:
        return round(point[0] * OVERSAMPLE), round(point[1] * OVERSAMPLE)

    def limb(a: Point, b: Point, wide: float, narrow: float, colour: Colour) -> None:
        """A tapered limb with light from the left."""
        along = (b - a) / max(float(np.linalg.norm(b - a)), 1e-6)
        across = np.array([-along[1], along[0]])
        for share, light in ((1.0, 0.72), (0.78, 0.9), (0.5, 1.0), (0.25, 1.07)):
            shade = tuple(float(min(255, c * light)) for c in colour)
            shift = np.array([-1.0, -0.3]) * wide * 0.22 * (1 - share)
            corners = [a + across * wide * share, a - across * wide * share]
            corners += [b - across * narrow * share, b + across * narrow * share]
            outline = np.array([at(corner + shift) for corner in corners], np.int32)
            cv2.fillConvexPoly(large, outline, shade, cv2.LINE_AA)
            cv2.circle(large, at(a + shift), int(wide * share * OVERSAMPLE), shade, -1, cv2.LINE_AA)
            cv2.circle(large, at(b + shift), int(narrow * share * OVERSAMPLE), shade, -1, cv2.LINE_AA)

    shadow = large.copy()
    feet = (joints["right_ankle"] + joints["left_ankle"]) / 2
    cv2.ellipse(shadow, at(np.array([feet[0], GROUND])), (150, 22), 0, 0, 360, (60, 80, 40), -1, cv2.LINE_AA)
    large = cv2.addWeighted(shadow, 0.55, large, 0.45, 0)
    for side in ("right", "left"):
        hip, knee, ankle = (joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        limb(knee, ankle, 11, 7, SKIN)
        limb(hip, knee, 16, 11, SKIN)
        limb(hip, hip + 0.6 * (knee - hip), 18, 16, SHORTS)
        outward = -1 if side == "right" else 1
        limb(moved(ankle, 0, 6), moved(ankle, outward * 12, 10), 7, 6, SHOE)
    neck, hips = joints["neck"], joints["hips"]
    right, left = joints["right_shoulder"], joints["left_shoulder"]
    torso = [moved(right, -6, -6), moved(neck, -8, -4), moved(neck, 8, -4), moved(left, 6, -6), moved(left, 0, 30)]
    torso += [moved(hips, 27, 4), moved(hips, -27, 4), moved(right, 0, 30)]
    cv2.fillPoly(large, [np.array([at(p) for p in torso], np.int32)], shirt, cv2.LINE_AA)
    limb(moved(neck, -9, 14), moved(hips, -9, 0), 15, 14, shirt)
    limb(moved(hips, -10, 6), moved(hips, 10, 6), 18, 18, SHORTS)
    limb(moved(neck, 0, 2), joints["head"] + [0, 10], 9, 9, SKIN)
    for side in ("right", "left"):
        shoulder, elbow, wrist = (joints[f"{side}_{name}"] for name in ("shoulder", "elbow", "wrist"))
        limb(shoulder, elbow, 10.5, 8, SKIN)
        limb(elbow, wrist, 8, 5.5, SKIN)
        limb(wrist, wrist + 0.22 * (wrist - elbow), 6, 5, SKIN)
        limb(shoulder, shoulder + 0.55 * (elbow - shoulder), 12.5, 11, shirt)
    head = joints["head"]
    cv2.ellipse(large, at(moved(head, 0, -3)), (36, 43), 0, 0, 360, HAIR, -1, cv2.LINE_AA)
    cv2.ellipse(large, at(moved(head, 0, 3)), (31, 37), 0, 0, 360, SKIN, -1, cv2.LINE_AA)
    for x in (-7, 7):
        cv2.circle(large, at(moved(head, x, 1)), 4, (40, 30, 30), -1, cv2.LINE_AA)
    cv2.line(large, at(moved(head, 0, 3)), at(moved(head, -1.5, 8)), (190, 135, 105), 3, cv2.LINE_AA)
    cv2.ellipse(large, at(moved(head, 0, 12)), (11, 5), 0, 10, 170, (150, 60, 60), 3, cv2.LINE_AA)
    return cv2.resize(large, scene.shape[1::-1], interpolation=cv2.INTER_AREA)


def frames() -> list[Image]:
    rng = np.random.default_rng(4)
    scene = background(rng)
    drawn = [draw_person(scene, pose(i / FPS / 1.1)) for i in range(int(FPS * SECONDS))]
    return [np.clip(f + rng.normal(0, 2, f.shape), 0, 255).astype(np.uint8) for f in drawn]


def bus_stop() -> Image:
    """Four people before a bus: at phases of a jumping jack, from left to right."""
    rng = np.random.default_rng(5)
    scene = np.hstack([background(rng), background(rng)])[:, :880]
    body, glass, dark = (206, 74, 48), (150, 178, 196), (36, 36, 40)
    cv2.rectangle(scene, (30, 60), (850, 350), body, -1)
    cv2.rectangle(scene, (30, 300), (850, 316), (240, 240, 236), -1)
    for left in range(60, 820, 130):
        cv2.rectangle(scene, (left, 90), (left + 104, 190), glass, -1)
    for wheel in (160, 700):
        cv2.circle(scene, (wheel, 352), 44, dark, -1, cv2.LINE_AA)
        cv2.circle(scene, (wheel, 352), 20, (150, 150, 150), -1, cv2.LINE_AA)
    scene = np.asarray(cv2.GaussianBlur(scene, (0, 0), 1.2), np.uint8)
    for phase, x, shirt in PEOPLE:
        joints = {name: moved(point, x - WIDTH / 2, 0) for name, point in pose(phase).items()}
        scene = draw_person(scene, joints, shirt)
    return np.clip(scene + rng.normal(0, 3, scene.shape), 0, 255).astype(np.uint8)


def main() -> None:
    cv2.imwrite(str(HERE / "people.jpg"), bus_stop()[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    pictures = frames()
    cv2.imwrite(str(HERE / "person.jpg"), pictures[9][:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    with av.open(str(HERE / "jumping_jacks.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "24"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
