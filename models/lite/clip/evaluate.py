"""Accuracy of the clip network on Penn Action's official test clips: the same code for torch, ONNX and a served model.

python -m models.lite.clip.evaluate --data ../shared/data --weights build/lite/clip_checkpoint.pt
python -m models.lite.clip.evaluate --data ../shared/data --weights build/lite/lite_clip.onnx
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.lite.clip import data as clip_data
from models.lite.clip.data import FRAME_STEP, Clips, Floats, Ints, Windows, sample_windows
from models.lite.clip.frame_errors import FrameErrors
from models.lite.clip.negatives import Movement, Negatives, at_times, empty_crops, load_movements, other_body, view
from models.lite.clip.real_errors import RealErrors
from models.lite.frame import error_bank
from models.lite.layout import ACTIONS, INTERVAL_S
from service.networks.tensors import ACTION_FEATURES, ACTION_SCORES, CROP_BOXES

HOP = 4  # samples
SEVERITIES = {"mild": 0.15, "medium": 0.4, "strong": 0.7}
CONFIDENT = 0.5  # top score from which a clip counts as recognised
VIEWS = 2  # cameras for each held-out movement
MADE = 200  # windows of each kind of negatives made from clips
SEED = 11
BATCH = 256

ScoresOf = Callable[[Floats, Floats], Floats]  # features (N, 16, 48), boxes (N, 16, 4) to scores (N, 15)


def test_windows(clips: Clips) -> tuple[Ints, Ints]:
    """Frame indices (W, T) of the windows of all clips, at least one for each, and the clip (W,) of each window."""
    frames, owners = [], []
    for clip, (begin, end) in enumerate(zip(clips.offsets[:-1], clips.offsets[1:], strict=True)):
        windows = clip_data.clip_windows(int(end - begin), HOP)
        frames.append(begin + windows)
        owners.append(np.full(len(windows), clip))
    return np.concatenate(frames), np.concatenate(owners)


def clip_scores(scores_of: ScoresOf, features: Floats, boxes: Floats, owners: Ints) -> tuple[Floats, Floats]:
    """Scores of clips (N, 15), the means of those of their windows (W, 15), and these; `owners` (W,) are the clips."""
    starts = range(0, len(features), BATCH)
    scores = np.concatenate([scores_of(features[i : i + BATCH], boxes[i : i + BATCH]) for i in starts])
    sums = np.zeros((int(owners.max()) + 1, len(ACTIONS)))
    np.add.at(sums, owners, scores)
    return (sums / np.bincount(owners)[:, None]).astype(np.float32), scores


def confusion(scores: Floats, labels: Ints) -> Ints:
    """The confusion matrix (15, 16) of clips: actions in rows, recognised classes in columns, the background last."""
    whole = np.concatenate([scores, 1 - scores.sum(1, keepdims=True)], axis=1)
    counts = np.zeros((len(ACTIONS), len(ACTIONS) + 1), np.int64)
    np.add.at(counts, (labels, whole.argmax(1)), 1)
    return counts


def measure(scores_of: ScoresOf, features: Floats, boxes: Floats, owners: Ints, labels: Ints) -> dict[str, Any]:
    """Accuracy of clips and of single windows, and the confusions.

    The scores of a clip are the mean of those of its windows. The recognised action is the one with the top score,
    however low; `right_and_sure` is the share of clips that are right with a top score of at least 0.5.

    Args:
        scores_of: Features (N, 16, 48) and boxes (N, 16, 4) to scores (N, 15).
        features: (W, 16, 48), of all windows.
        boxes: (W, 16, 4), likewise.
        owners: The clip (W,) of each window.
        labels: The action of each clip.
    """
    scores, of_windows = clip_scores(scores_of, features, boxes, owners)
    named = scores.argmax(1)
    right = named == labels
    pairs = Counter(f"{ACTIONS[a]} -> {ACTIONS[b]}" for a, b in zip(labels, named, strict=True) if a != b)
    return {
        "clips": len(labels),
        "accuracy": float(right.mean()),
        "window_accuracy": float((of_windows.argmax(1) == labels[owners]).mean()),
        "right_and_sure": float((right & (scores.max(1) >= CONFIDENT)).mean()),
        "sure": float((scores.max(1) >= CONFIDENT).mean()),
        "per_action": {name: float(right[labels == a].mean()) for a, name in enumerate(ACTIONS) if (labels == a).any()},
        "confusions": dict(pairs.most_common(8)),
        "confusion_matrix": confusion(scores, labels).tolist(),
    }


def through_frame_network(tracks: list[Windows], errors: RealErrors) -> tuple[Floats, Floats, Ints, float]:
    """Whole clips (B = 1, T their samples) with measured errors of a frame network, cut into windows.

    Returns:
        Features (W, 16, 48), boxes (W, 16, 4), the clip (W,) of each window, and the share of annotated joints that
        stay within 0.2 torso.
    """
    seen, crops, owners, shares = [], [], [], []
    for clip, track in enumerate(tracks):
        features, boxes, share = errors.apply(track)
        windows = sample_windows(features.shape[1], HOP)
        seen.append(features[0, windows])
        crops.append(boxes[0, windows])
        owners.append(np.full(len(windows), clip))
        shares.append(float(share[0]))
    return np.concatenate(seen), np.concatenate(crops), np.concatenate(owners), float(np.mean(shares))


def penn_tracks(clips: Clips) -> list[Windows]:
    """Each clip's samples, FRAME_STEP frames apart."""
    bounds = zip(clips.offsets[:-1], clips.offsets[1:], strict=True)
    return [clip_data.cut(clips, np.arange(begin, end, FRAME_STEP)[None]) for begin, end in bounds]


def movement_tracks(movements: list[Movement], rng: np.random.Generator) -> list[Windows]:
    """Each movement's samples, with VIEWS random bodies and cameras; all joints are visible."""
    tracks = []
    for movement in movements * VIEWS:
        times = np.arange(0, len(movement.joints) - 1, INTERVAL_S * movement.rate, dtype=np.float32)
        body = other_body(at_times(movement.joints, times), movement.kind, rng)
        joints = view(body, movement.azimuth, rng)[None]
        everything = np.ones(joints.shape[:3], bool)
        tracks.append(clip_data.windows_of(joints, everything, everything))
    return tracks


def negatives(data: Path, clips: Clips, errors: RealErrors) -> dict[str, tuple[Floats, Floats, Ints]]:
    """Features, boxes and owners of clips of the background class, by kind, through the frame network's real errors.

    They are motion capture of the held-out sequences and subjects, and windows made from test clips.
    """
    rng = np.random.default_rng(SEED)
    movements = load_movements(data, held_out=True)
    source = Negatives(movements, clips, rng)
    found: dict[str, tuple[Floats, Floats, Ints]] = {}
    for kind in ("mocap", "kinect"):
        tracks = movement_tracks([m for m in movements if m.kind == kind], rng)
        found[kind] = through_frame_network(tracks, errors)[:3]
    for kind in ("still", "held", "shuffled", "wandering"):
        found[kind] = (*errors.apply(source.of_kind(kind, MADE))[:2], np.arange(MADE))
    found["nobody"] = (*empty_crops(rng, MADE), np.arange(MADE))
    return found


def evaluate(scores_of: ScoresOf, data: Path, held_out: error_bank.ErrorBank | None = None) -> dict[str, Any]:
    """Accuracy on the 1,068 test clips, from annotated joints and from joints with errors.

    `joints_right` is the share of annotated joints that stay within 0.2 torso. "real" are measured errors, drawn by
    `RealErrors` for whole clips, so that they last from window to window. "mild" and so on are errors simulated by
    `FrameErrors`, drawn for each window. "none_of_these" are clips of the background class; `below_half` is the share
    of them with a top score below 0.5.

    Args:
        scores_of: Features (N, 16, 48) and boxes (N, 16, 4) to scores (N, 15).
        data: Folder of the training data.
        held_out: Error bank of held-out people. Without it the figures have neither "real" nor "none_of_these".
    """
    clips = clip_data.load_clips(data, train=False)
    frames, owners = test_windows(clips)
    windows = clip_data.cut(clips, frames)
    result = {"annotated": measure(scores_of, *clip_data.annotated(windows), owners, clips.labels)}
    if held_out is not None:
        errors = RealErrors(held_out, np.random.default_rng(SEED))
        features, boxes, of_clip, share = through_frame_network(penn_tracks(clips), errors)
        result["real"] = {"joints_right": share, **measure(scores_of, features, boxes, of_clip, clips.labels)}
        result["none_of_these"] = {}
        for kind, some in negatives(data, clips, errors).items():
            scores = clip_scores(scores_of, *some)[0]
            names = Counter(ACTIONS[a] for a in scores[scores.max(1) >= CONFIDENT].argmax(1))
            result["none_of_these"][kind] = {
                "clips": len(scores),
                "mean_top_score": float(scores.max(1).mean()),
                "below_half": float((scores.max(1) < CONFIDENT).mean()),
                "taken_for": dict(names.most_common(4)),
            }
    for name, severity in SEVERITIES.items():
        simulated = FrameErrors(np.random.default_rng(SEED))
        features, boxes, right = simulated.apply(windows, np.full(len(frames), severity, np.float32))
        result[name] = {
            "joints_right": float(right.mean()),
            **measure(scores_of, features, boxes, owners, clips.labels),
        }
    return result


def torch_scores(weights: Path) -> ScoresOf:
    import torch

    from models.lite.clip.network import ClipNetwork, ServedClip
    from models.lite.training import trained

    served = ServedClip(trained(ClipNetwork(), weights)).eval()

    def scores_of(features: Floats, boxes: Floats) -> Floats:
        with torch.no_grad():
            scores: Floats = served(torch.from_numpy(features), torch.from_numpy(boxes)).numpy()
        return scores

    return scores_of


def onnx_scores(model: Path) -> ScoresOf:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])

    def scores_of(features: Floats, boxes: Floats) -> Floats:
        (scores,) = session.run([ACTION_SCORES], {ACTION_FEATURES: features, CROP_BOXES: boxes})
        return np.asarray(scores, np.float32)

    return scores_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--weights", type=Path, default=Path("build/lite/clip_checkpoint.pt"), help=".pt or .onnx")
    parser.add_argument("--errors", type=Path, default=Path("build/lite") / error_bank.HELD_OUT_BANK)
    parser.add_argument("--out", type=Path, help="also write the figures to this JSON file")
    arguments = parser.parse_args()
    load = onnx_scores if arguments.weights.suffix == ".onnx" else torch_scores
    figures = evaluate(load(arguments.weights), arguments.data, error_bank.load(arguments.errors))
    if arguments.out:
        arguments.out.write_text(json.dumps(figures))
    for part in figures.values():
        part.pop("confusion_matrix", None)
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
