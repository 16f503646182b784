"""Calibrates the frame network's scores on half of LSP's held-out people and evaluates them on the other half.

python -m models.lite.frame.calibrate --data ../shared/data --out build/lite
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from models.deephar.pixels import to_network_range
from models.lite.frame import data as pose_data
from models.lite.frame.calibration import expected_calibration_error, fit
from models.lite.frame.network import INPUT_SIZE, FrameNetwork
from models.lite.frame.plain_crops import predict
from models.lite.training import checkpoint, command_line, trained

FITTED, MEASURED = slice(0, None, 2), slice(1, None, 2)  # of the held-out people
LANDSCAPES = 100  # besides the pictures of statues, dolls and animals


@torch.no_grad()
def predict_without_people(network: FrameNetwork, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Score logits (N, 16) of whole pictures."""
    logits = []
    for picture in pictures:
        height, width = picture.shape[:2]
        centre = np.array([width / 2, height / 2], np.float32)
        matrix = pose_data.crop_matrix(centre, max(height, width) * pose_data.PERSON_MARGIN, INPUT_SIZE, 0.0, False)
        crop = cv2.warpAffine(picture, matrix, (INPUT_SIZE, INPUT_SIZE))
        logits.append(network(to_network_range(torch.from_numpy(crop[None]))).score_logits.numpy())
    return np.concatenate(logits)


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    people = pose_data.load_held_out(arguments.data)
    network = trained(FrameNetwork(), checkpoint(arguments.out, "frame"))
    keypoints, logits = predict(network, people, INPUT_SIZE)
    hits = pose_data.hits(people, keypoints)
    landscapes = pose_data.load_backgrounds(arguments.data)[:LANDSCAPES]
    empty_logits = predict_without_people(network, [*pose_data.load_empty_boxed(arguments.data, split=0), *landscapes])
    calibration = fit(logits[FITTED], hits[FITTED], empty_logits)
    measured = pose_data.LSP_TO_PA16
    scores = calibration.scores(logits[MEASURED])[:, measured]
    error = expected_calibration_error(scores, hits[MEASURED][:, measured])
    calibration.save(arguments.out)
    print(f"{calibration}, expected calibration error on the other people {100 * error:.1f} %")


if __name__ == "__main__":
    main()
