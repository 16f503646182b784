"""Calibrates the frame network's scores on half of LSP's held-out people, and evaluates them on the other half.

    python -m models.lite.frame.calibrate --data ../shared/data --out build/lite

People of everyday pictures take part as well, seen in half or from afar, with the joints that the teacher knows.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.deephar.pixels import to_network_range
from models.lite.frame import data as pose_data
from models.lite.frame.calibration import expected_calibration_error, fit
from models.lite.frame.known_people import FITTED, MEASURED, everyday_people, look
from models.lite.frame.network import INPUT_SIZE, FrameNetwork
from models.lite.frame.plain_crops import predict
from models.lite.platt import Array
from models.lite.training import checkpoint, command_line, trained

Bools = NDArray[np.bool_]

LANDSCAPES = 100  # besides the pictures of statues, dolls and animals


@torch.no_grad()
def predict_without_people(network: FrameNetwork, pictures: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Score logits (N, 16) of whole pictures."""
    logits = []
    for picture in pictures:
        height, width = picture.shape[:2]
        centre = np.array([width / 2, height / 2], np.float32)
        crop, _ = pose_data.crop_around(picture, centre, max(height, width) * pose_data.PERSON_MARGIN, INPUT_SIZE)
        logits.append(network(to_network_range(torch.from_numpy(crop[None]))).score_logits.numpy())
    return np.concatenate(logits)


def predict_everyday(network: FrameNetwork, data: Path, out: Path) -> tuple[Array, Bools, Bools]:
    """Score logits, right joints and known joints (N, 16) of the everyday people kept out of training."""
    rows = []
    for picture in everyday_people(data, out):
        for person, box in enumerate(picture.boxes_px):
            joints, logits = look(network, picture.image, box)
            right = picture.right(person, joints)
            if right is not None:
                rows.append((logits, right, picture.known[person]))
    logits, hits, known = (np.stack(part) for part in zip(*rows, strict=True))
    return logits, hits, known


def main() -> None:
    arguments = command_line(__doc__).parse_args()
    people = pose_data.load_held_out(arguments.data)
    network = trained(FrameNetwork(), checkpoint(arguments.out, "frame"))
    keypoints, logits = predict(network, people, INPUT_SIZE)
    hits = pose_data.hits(people, keypoints)
    landscapes = pose_data.load_backgrounds(arguments.data)[:LANDSCAPES]
    empty_logits = predict_without_people(network, [*pose_data.load_empty_boxed(arguments.data, split=0), *landscapes])
    others, others_hits, others_known = predict_everyday(network, arguments.data, arguments.out)
    calibration = fit(
        np.concatenate([logits[FITTED], others]),
        np.concatenate([hits[FITTED], others_hits]),
        np.concatenate([np.ones(hits[FITTED].shape, bool), others_known]),
        empty_logits,
    )
    measured = pose_data.LSP_TO_PA16
    scores = calibration.scores(logits[MEASURED])[:, measured]
    error = expected_calibration_error(scores, hits[MEASURED][:, measured])
    calibration.save(arguments.out)
    print(f"{calibration}, expected calibration error on the other people {100 * error:.1f} %")


if __name__ == "__main__":
    main()
