"""Exports the trained networks of `lite` into the model repository, and checks what was written.

python -m models.lite.export --out build/lite --repository model_repository
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from models import onnx_export, triton_config
from models.lite.clip_data import ACTIONS
from models.lite.clip_network import ClipNetwork, ServedClip
from models.lite.network import FEATURES_PER_FRAME, NUM_JOINTS, FrameNetwork, ServedFrame
from models.lite.pose_data import PERSON_MARGIN

SIZE = 128
FRAMES, INTERVAL_S = 16, 0.1
MAX_BATCH = 32


def trained_frame(out: Path) -> ServedFrame:
    network = FrameNetwork()
    state = torch.load(out / "frame_checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    return ServedFrame(network).eval()


def trained_clip(out: Path) -> ServedClip:
    network = ClipNetwork()
    state = torch.load(out / "clip_checkpoint.pt", map_location="cpu", weights_only=True)
    network.load_state_dict(state["average"])
    return ServedClip(network).eval()


def card(weights_sha256: str) -> dict[str, object]:
    return {
        "model": "lite",
        "description": "compact pose and action network trained in this repository, after deephar",
        "layout": "pa16",
        "dims": 2,
        "crop": {"size": SIZE, "margin": PERSON_MARGIN},
        "clip": {"frames": FRAMES, "interval_s": INTERVAL_S, "labels": list(ACTIONS)},
        "weights": "trained by make train-lite on LSPET, LSP, PARSE (poses) and Penn Action's labels (actions)",
        "weights_sha256": weights_sha256,
        "licence": "MIT; see models/lite/README.md for the training data",
        "precision": "weights stored as fp16, computed as the server decides",
    }


def export(out: Path, repository: Path) -> None:
    frame, clip = trained_frame(out), trained_clip(out)
    frame_file = repository / "lite_frame" / "1" / "model.onnx"
    clip_file = repository / "lite_clip" / "1" / "model.onnx"

    def pictures(batch: int) -> tuple[torch.Tensor, ...]:
        return (torch.randint(0, 256, (batch, SIZE, SIZE, 3), dtype=torch.uint8),)

    def clips(batch: int) -> tuple[torch.Tensor, ...]:
        corners = torch.rand(batch, FRAMES, 2) * 100
        return (
            torch.rand(batch, FRAMES, FEATURES_PER_FRAME),
            torch.cat([corners, torch.full((batch, FRAMES, 2), 200.0)], dim=-1),
        )

    outputs = ("keypoints", "keypoint_scores", "action_features")
    sha256 = onnx_export.export(frame, pictures, ("image",), outputs, frame_file)
    triton_config.write(
        repository / "lite_frame",
        inputs={"image": ("UINT8", (SIZE, SIZE, 3))},
        outputs={
            "keypoints": ("FP32", (NUM_JOINTS, 2)),
            "keypoint_scores": ("FP32", (NUM_JOINTS,)),
            "action_features": ("FP32", (FEATURES_PER_FRAME,)),
        },
        max_batch=MAX_BATCH,
        card=card(sha256),
    )
    onnx_export.export(clip, clips, ("action_features", "crop_boxes"), ("action_scores",), clip_file)
    triton_config.write(
        repository / "lite_clip",
        inputs={"action_features": ("FP32", (FRAMES, FEATURES_PER_FRAME)), "crop_boxes": ("FP32", (FRAMES, 4))},
        outputs={"action_scores": ("FP32", (len(ACTIONS),))},
        max_batch=MAX_BATCH,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("build/lite"), help="folder of the checkpoints")
    parser.add_argument("--repository", type=Path, default=Path("model_repository"))
    arguments = parser.parse_args()
    export(arguments.out, arguments.repository)


if __name__ == "__main__":
    main()
