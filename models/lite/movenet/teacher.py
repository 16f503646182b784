"""MoveNet thunder's view of every person that has a box: joints, scores and maps, kept in files.

    python -m models.lite.movenet.teacher --data ../shared/data --out build/lite

Labels that a crowd made are wrong in one limb of seven, and most boxed people have no joints at all: thunder's joints
mend the first and stand in for the second. It knows the twelve limb joints of pa16, not the neck and the head's top.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import nn

from models.lite.frame import data as pose_data
from models.lite.movenet.decoding import Decoded
from models.lite.movenet.published import thunder
from models.lite.movenet.taught import CELLS, Taught, file_of, save
from models.lite.training import best_device, command_line

SIZE = 256
BATCH = 8
POSE_MARGIN, BOX_MARGIN = 1.2, 1.15  # of the crop, over the larger side of the joints' or of the body's box
SETS = ("lspet", "boxed", "everyday")

Floats = NDArray[np.float32]


def runner(network: nn.Module) -> Callable[[NDArray[np.uint8]], list[Floats]]:
    """Runs the network on batches of crops; on a CPU in ONNX Runtime, in half of torch's time."""
    device = best_device()
    if device.type != "cpu":
        network = network.to(device)

        @torch.inference_mode()
        def run(crops: NDArray[np.uint8]) -> list[Floats]:
            return [output.cpu().numpy() for output in network(torch.from_numpy(crops).to(device))]

        return run
    example = torch.zeros(BATCH, SIZE, SIZE, 3, dtype=torch.uint8)
    program = torch.onnx.export(network, (example,), dynamo=True, input_names=["crops"], verbose=False)
    assert program is not None
    session = onnxruntime.InferenceSession(program.model_proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda crops: session.run(None, {"crops": crops})


def people_of(data: Path, name: str) -> Iterator[tuple[NDArray[np.uint8], Floats, float]]:
    """Pictures, boxes (4,) as x, y, width, height and margins of one set's people, in the order of its file."""
    if name == "lspet":
        people = pose_data.load_crowd(data)
        for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
            low, high = joints[valid].min(0), joints[valid].max(0)
            yield image, np.concatenate([low, high - low]), POSE_MARGIN
        return
    for picture in pose_data.boxed_pictures(data, name):
        if len(picture.boxes_px):
            image = picture.image
            for box in picture.boxes_px:
                yield image, box, BOX_MARGIN


def teach(data: Path, name: str, run: Callable[[NDArray[np.uint8]], list[Floats]]) -> Taught:
    """Thunder's view of all people of one set."""
    joints: list[Floats] = []
    scores, maps = [], []
    crops: list[NDArray[np.uint8]] = []
    matrices: list[NDArray[np.float64]] = []

    def finish() -> None:
        batch = np.zeros((BATCH, SIZE, SIZE, 3), np.uint8)
        batch[: len(crops)] = np.stack(crops)
        in_cells, seen, belief = (output[: len(crops)] for output in run(batch))
        for matrix, points in zip(matrices[-len(crops) :], in_cells, strict=True):
            back = cv2.invertAffineTransform(matrix)
            joints.append(points @ back[:, :2].T + back[:, 2])
        scores.append(seen)
        maps.append((belief * 255).round().astype(np.uint8))
        crops.clear()

    for image, (x, y, width, height), margin in people_of(data, name):
        side = max(float(width), float(height), 16.0) * margin
        centre = np.array([x + width / 2, y + height / 2], np.float32)
        matrix = pose_data.crop_matrix(centre, side, SIZE, 0.0, False)
        crops.append(np.asarray(cv2.warpAffine(image, matrix, (SIZE, SIZE), flags=cv2.INTER_LINEAR), np.uint8))
        matrices.append(matrix * (CELLS / SIZE))
        if len(crops) == BATCH:
            finish()
    if crops:
        finish()
    return Taught(
        np.stack(joints).astype(np.float32),
        np.concatenate(scores),
        np.concatenate(maps),
        np.stack(matrices).astype(np.float32),
    )


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    out: Path = arguments.out
    missing = [name for name in SETS if not file_of(out, name).exists()]
    if not missing:
        return
    run = runner(Decoded(thunder(out)).eval())
    for name in missing:
        taught = teach(arguments.data, name, run)
        save(taught, out, name)
        print(f"{name}: {len(taught.scores)} people, mean score {taught.scores.mean():.2f}", flush=True)


if __name__ == "__main__":
    main()
