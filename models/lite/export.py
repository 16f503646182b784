"""Exports the trained networks of `lite` into the model repository and checks the written files.

python -m models.lite.export --out build/lite --repository model_repository
"""

from __future__ import annotations

import argparse
import json
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from models.export import triton_model
from models.files.sample_picture import person_crops
from models.lite import score_rule
from models.lite.clip.network import ClipNetwork, ServedClip
from models.lite.frame.calibration import Calibration
from models.lite.frame.data import PERSON_MARGIN
from models.lite.frame.network import DEPTH_SCALE_MM, INPUT_SIZE, FrameNetwork, ServedFrame
from models.lite.layout import ACTIONS, FEATURES_PER_FRAME, INTERVAL_S, NUM_FRAMES, NUM_JOINTS
from models.lite.lift.data import STATURE_MM
from models.lite.lift.network import LiftNetwork, ServedLift
from models.lite.person.network import (
    MAX_DETECTIONS,
    NMS_IOU,
    PERSON_SIZE,
    SCORE_THRESHOLD,
    PersonNetwork,
    ServedPerson,
)
from models.lite.training import checkpoint, trained
from service.networks.tensors import (
    ACTION_FEATURES,
    ACTION_SCORES,
    BOX_SCORES,
    BOXES,
    CROP_BOXES,
    IMAGE,
    KEYPOINT_SCORES,
    KEYPOINTS,
)

LICENCE = "MIT; started from MoveNet (Google, Apache-2.0, see NOTICE); models/lite/README.md has the training data"
PRECISION = "weights stored as fp16, computed as the server decides"


def card(weights_sha256: str, score: dict[str, float]) -> dict[str, object]:
    """The card of `lite_frame`; `score` is how a detected person's score is made."""
    return {
        "model": "lite",
        "description": "compact pose and action network trained in this repository, after deephar",
        "layout": "pa16",
        "dims": 3,
        "depth_scale_mm": DEPTH_SCALE_MM,
        "crop": {"size": INPUT_SIZE, "margin": PERSON_MARGIN},
        "clip": {"frames": NUM_FRAMES, "interval_s": INTERVAL_S, "labels": list(ACTIONS)},
        "lift": {
            "stature_mm": STATURE_MM,
            "trained_on": "CMU motion capture: depth is a guess from the joints in the picture, not a measurement",
        },
        "score": score,
        "weights": "trained by make train-lite from MoveNet lightning's weights, on LSPET, LSP and everyday pictures "
        "labelled by MoveNet thunder (poses), CMU motion capture (depth) and Penn Action's labels (actions)",
        "weights_sha256": weights_sha256,
        "licence": LICENCE,
        "precision": PRECISION,
    }


def person_card(weights_sha256: str) -> dict[str, object]:
    """The card of `person`."""
    return {
        "description": "compact person detector trained in this repository",
        "size": PERSON_SIZE,
        "threshold": SCORE_THRESHOLD,
        "overlap": NMS_IOU,
        "weights": "trained by make train-lite from MoveNet lightning's weights, on boxed photographs, LSPET and LSP",
        "weights_sha256": weights_sha256,
        "licence": LICENCE,
        "precision": PRECISION,
    }


def export_frame(out: Path, repository: Path) -> None:
    triton_model.write(
        repository / "lite_frame",
        ServedFrame(
            trained(FrameNetwork(), checkpoint(out, "frame")),
            ServedLift(trained(LiftNetwork(), checkpoint(out, "lift"))),
            Calibration.load(out),
        ).eval(),
        _people,
        inputs={IMAGE: ("UINT8", (INPUT_SIZE, INPUT_SIZE, 3))},
        outputs={
            KEYPOINTS: ("FP32", (NUM_JOINTS, 3)),
            KEYPOINT_SCORES: ("FP32", (NUM_JOINTS,)),
            ACTION_FEATURES: ("FP32", (FEATURES_PER_FRAME,)),
        },
        card_of=partial(card, score=json.loads((out / score_rule.FILE).read_text())),
    )


def export_clip(out: Path, repository: Path) -> None:
    def clips(batch: int) -> tuple[Tensor, ...]:
        corners = torch.rand(batch, NUM_FRAMES, 2) * 100
        boxes = torch.cat([corners, torch.full((batch, NUM_FRAMES, 2), 200.0)], dim=-1)
        return torch.rand(batch, NUM_FRAMES, FEATURES_PER_FRAME), boxes

    triton_model.write(
        repository / "lite_clip",
        ServedClip(trained(ClipNetwork(), checkpoint(out, "clip"))).eval(),
        clips,
        inputs={ACTION_FEATURES: ("FP32", (NUM_FRAMES, FEATURES_PER_FRAME)), CROP_BOXES: ("FP32", (NUM_FRAMES, 4))},
        outputs={ACTION_SCORES: ("FP32", (len(ACTIONS),))},
    )


def export_person(out: Path, repository: Path) -> None:
    triton_model.write(
        repository / "person",
        ServedPerson(trained(PersonNetwork(), checkpoint(out, "person"))).eval(),
        lambda batch: _pictures(batch, PERSON_SIZE),
        inputs={IMAGE: ("UINT8", (PERSON_SIZE, PERSON_SIZE, 3))},
        outputs={BOXES: ("FP32", (MAX_DETECTIONS, 4)), BOX_SCORES: ("FP32", (MAX_DETECTIONS,))},
        card_of=person_card,
    )


def _pictures(batch: int, size: int) -> tuple[Tensor, ...]:
    return (torch.randint(0, 256, (batch, size, size, 3), dtype=torch.uint8),)


def _people(batch: int) -> tuple[Tensor, ...]:
    """Crops of a person: where nobody is, a joint may be anywhere, and rounded weights find it elsewhere."""
    moves = [(int(right), int(down)) for right, down in torch.randint(-30, 31, (batch, 2))]
    return (torch.from_numpy(person_crops(moves, INPUT_SIZE)),)


# The frame network last: its card names the others.
PARTS = {"person": export_person, "clip": export_clip, "frame": export_frame}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("build/lite"), help="folder of the checkpoints")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    parser.add_argument("--part", choices=PARTS, action="append", help="repeatable; absent: all")
    arguments = parser.parse_args()
    for part in arguments.part or PARTS:
        PARTS[part](arguments.out, arguments.repository)


if __name__ == "__main__":
    main()
