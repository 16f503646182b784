"""Measures the clip network on Penn Action's official test clips. The same code for torch, ONNX or a served model.

python -m models.lite.evaluate_clip --data ../shared/data --weights build/lite/clip_checkpoint.pt
python -m models.lite.evaluate_clip --data ../shared/data --weights build/lite/lite_clip.onnx
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.lite import clip_data
from models.lite.clip_data import ACTIONS, Clips, Floats, Ints
from models.lite.frame_errors import FrameErrors

HOP = 4  # samples
SEVERITIES = {"mild": 0.15, "medium": 0.4, "strong": 0.7}
SEED = 11
BATCH = 256

ScoresOf = Callable[[Floats, Floats], Floats]  # features (N, 16, 48), boxes (N, 16, 4) to scores (N, 15)


def test_windows(clips: Clips) -> tuple[Ints, Ints]:
    """Frame indices (W, T) of all windows of all clips and the clip (W,) of each; every clip has one."""
    frames, owners = [], []
    for clip, (begin, end) in enumerate(zip(clips.offsets[:-1], clips.offsets[1:], strict=True)):
        windows = clip_data.clip_windows(int(end - begin), HOP)
        frames.append(begin + windows)
        owners.append(np.full(len(windows), clip))
    return np.concatenate(frames), np.concatenate(owners)


def measure(scores_of: ScoresOf, features: Floats, boxes: Floats, owners: Ints, labels: Ints) -> dict[str, Any]:
    """Accuracy of clips, a clip's scores being the mean of its windows', and of single windows; what is taken for what.

    Windows (W, ...) belong to the clips `owners` (W,), whose actions are `labels` (clips,).
    """
    starts = range(0, len(features), BATCH)
    scores = np.concatenate([scores_of(features[i : i + BATCH], boxes[i : i + BATCH]) for i in starts])
    sums = np.zeros((len(labels), len(ACTIONS)))
    np.add.at(sums, owners, scores)
    named = (sums / np.bincount(owners, minlength=len(labels))[:, None]).argmax(1)
    per_action = {name: float((named[labels == a] == a).mean()) for a, name in enumerate(ACTIONS)}
    pairs = Counter(f"{ACTIONS[a]} -> {ACTIONS[b]}" for a, b in zip(labels, named, strict=True) if a != b)
    return {
        "clips": len(labels),
        "accuracy": float((named == labels).mean()),
        "window_accuracy": float((scores.argmax(1) == labels[owners]).mean()),
        "worst_actions": dict(sorted(per_action.items(), key=lambda item: item[1])[:4]),
        "confusions": dict(pairs.most_common(8)),
    }


def evaluate(scores_of: ScoresOf, data: Path) -> dict[str, Any]:
    """Strict accuracy on the 1,068 test clips, from annotated joints and through simulated frame networks.

    `joints_right` is the share of annotated joints that the simulated frame network leaves within 0.2 torso. Its errors
    are drawn anew for each window: a real network's last over a clip, so that its clips fare more like single windows.
    """
    clips = clip_data.load_clips(data, train=False)
    frames, owners = test_windows(clips)
    windows = clip_data.cut(clips, frames)
    result = {"annotated": measure(scores_of, *clip_data.annotated(windows), owners, clips.labels)}
    for name, severity in SEVERITIES.items():
        errors = FrameErrors(np.random.default_rng(SEED))
        features, boxes, right = errors.apply(windows, np.full(len(frames), severity, np.float32))
        result[name] = {
            "joints_right": float(right.mean()),
            **measure(scores_of, features, boxes, owners, clips.labels),
        }
    return result


def torch_scores(weights: Path) -> ScoresOf:
    import torch

    from models.lite.clip_network import ClipNetwork, ServedClip

    network = ClipNetwork()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True)["average"])
    served = ServedClip(network).eval()

    def scores_of(features: Floats, boxes: Floats) -> Floats:
        with torch.no_grad():
            scores: Floats = served(torch.from_numpy(features), torch.from_numpy(boxes)).numpy()
        return scores

    return scores_of


def onnx_scores(model: Path) -> ScoresOf:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def scores_of(features: Floats, boxes: Floats) -> Floats:
        (scores,) = session.run(["action_scores"], {"action_features": features, "crop_boxes": boxes})
        return np.asarray(scores, np.float32)

    return scores_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=Path("build/lite/clip_checkpoint.pt"), help=".pt or .onnx")
    arguments = parser.parse_args()
    load = onnx_scores if arguments.weights.suffix == ".onnx" else torch_scores
    print(json.dumps(evaluate(load(arguments.weights), arguments.data), indent=2))


if __name__ == "__main__":
    main()
