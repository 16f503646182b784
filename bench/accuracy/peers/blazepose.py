"""BlazePose heavy (MediaPipe, Apache-2.0), from a pinned npm package.

    python -m bench.accuracy.peers.blazepose --data ../shared/data --out build/peers

Runs in an environment of its own, with LiteRT. As MediaPipe follows a person, the network looks three times: each time
turned and cropped by the two alignment points that it found the time before.
"""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from numpy.typing import NDArray

from bench.accuracy import command_line
from bench.accuracy.peers.people import OUT, SETS, Boxed, Joints, save
from models.lite.frame.data import crop_around
from models.lite.npm import Package

PACKAGE = Package(
    "@mediapipe/pose@0.5.1675469404",
    "mediapipe-pose-0.5.1675469404.tgz",
    "8bb349a7b3a3ba699df23be804ddd3b3eab810b50b15406894be257859388a84",
)
MODEL = "package/pose_landmark_heavy.tflite"
SIZE, LOOKS = 256, 3
SCALE = 1.25  # of the crop over twice the distance of the alignment points, MediaPipe's
CENTRE, TOP = 33, 34  # the alignment points: between the hips, and above it on the circle around the body
LANDMARKS, NUMBERS = 39, 5  # x, y, z, visibility, presence
# Right, then left shoulder, elbow, wrist, hip, knee, ankle.
LIMBS_OF_BLAZEPOSE = (12, 11, 14, 13, 16, 15, 24, 23, 26, 25, 28, 27)

Floats = NDArray[np.float32]


class BlazePose:
    def __init__(self, folder: Path) -> None:
        with tarfile.open(PACKAGE.fetch(folder)) as package:
            file = package.extractfile(MODEL)
            assert file is not None
            self._network = Interpreter(model_content=file.read(), num_threads=2)
        self._network.allocate_tensors()
        self._input = self._network.get_input_details()[0]["index"]
        outputs = {tuple(each["shape"]): each["index"] for each in self._network.get_output_details()}
        self._landmarks = outputs[1, LANDMARKS * NUMBERS]

    def landmarks(self, crop: NDArray[np.uint8]) -> Floats:
        """Of a crop (256, 256, 3) the landmarks (39, 5), x and y in its pixels."""
        self._network.set_tensor(self._input, crop[None].astype(np.float32) / 255)
        self._network.invoke()
        return np.asarray(self._network.get_tensor(self._landmarks), np.float32).reshape(LANDMARKS, NUMBERS)

    def look(self, person: Boxed) -> tuple[Floats, Floats]:
        """Limb joints (12, 2) in pixels of the picture, and their visibility (12,)."""
        crop, back = person.crop(SIZE, SCALE)
        for number in range(LOOKS):
            found = self.landmarks(crop)
            points_px = (found[:, :2] @ back[:, :2].T + back[:, 2]).astype(np.float32)
            if number + 1 < LOOKS:
                up = points_px[TOP] - points_px[CENTRE]
                side = 2 * float(np.linalg.norm(up)) * SCALE
                angle = float(np.arctan2(-up[0], -up[1]))
                crop, back = crop_around(person.image, points_px[CENTRE], max(side, 1.0), SIZE, angle)
        limbs = list(LIMBS_OF_BLAZEPOSE)
        return points_px[limbs], (1 / (1 + np.exp(-found[limbs, 3]))).astype(np.float32)


def main() -> None:
    arguments = command_line.parse(__doc__, out=OUT)
    network = BlazePose(arguments.out)
    for name, people in SETS.items():
        joints, scores = zip(*(network.look(person) for person in people(arguments.data)), strict=True)
        save(Joints(np.stack(joints), np.stack(scores)), arguments.out, "blazepose", name)


if __name__ == "__main__":
    main()
