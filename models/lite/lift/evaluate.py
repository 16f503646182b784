"""Accuracy of the lift on held-out CMU sequences: from torch, or as a part of the served frame network.

python -m models.lite.lift.evaluate --data ../shared/data --weights build/lite/lift_checkpoint.pt
python -m models.lite.lift.evaluate --data ../shared/data --weights model_repository/lite_frame/1/model.onnx
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.lite.frame import error_bank
from models.lite.frame.error_bank import ErrorBank
from models.lite.lift import data as lift_data
from models.lite.lift import views as lift_views
from models.lite.lift.data import Floats
from service.networks.tensors import KEYPOINT_SCORES, KEYPOINTS

EVERY = 2  # frames
VIEWS = 2  # cameras for each of these frames
SEED = 11
BATCH = 32

LiftOf = Callable[[Floats, Floats], Floats]  # keypoints (B, 16, 2), scores (B, 16) to positions in mm (B, 16, 3)


def mpjpe(predicted: Floats, truth: Floats) -> Floats:
    """Mean per joint position error (...), root-aligned: of joints (..., K, 3) after joint 0 of both is moved to 0."""
    difference = (predicted - predicted[..., :1, :]) - (truth - truth[..., :1, :])
    return np.asarray(np.linalg.norm(difference, axis=-1).mean(-1))


def flat(keypoints: Floats, truth: Floats) -> Floats:
    """A baseline without depth (B, 16, 3): keypoints in the pelvis's plane, at the scale that fits x and y best."""
    points = keypoints - keypoints[:, :1]
    scale = (points * truth[..., :2]).sum((1, 2)) / np.maximum((points**2).sum((1, 2)), 1e-9)
    return np.concatenate([points * scale[:, None, None], np.zeros_like(truth[..., :1])], axis=-1)


def lift_all(lift_of: LiftOf, keypoints: Floats, scores: Floats) -> Floats:
    starts = range(0, len(keypoints), BATCH)
    return np.concatenate([lift_of(keypoints[i : i + BATCH], scores[i : i + BATCH]) for i in starts])


def figures(errors_mm: Floats, flat_mm: Floats, action: lift_data.Names) -> dict[str, Any]:
    by_action = {str(name): round(float(errors_mm[action == name].mean()), 1) for name in np.unique(action)}
    return {
        "mpjpe_mm": round(float(errors_mm.mean()), 1),
        "mean_of_actions_mm": round(float(np.mean(list(by_action.values()))), 1),
        "median_mm": round(float(np.median(errors_mm)), 1),
        "flat_mm": round(float(flat_mm.mean()), 1),
        "by_action_mm": by_action,
    }


def measure(lift_of: LiftOf, bodies: lift_data.Bodies, bank: ErrorBank) -> dict[str, Any]:
    """MPJPE with exact keypoints and with errors drawn from `bank`; cameras and errors are the same at each call."""
    rng = np.random.default_rng(SEED)
    view = lift_views.random_views(bodies.joints_mm, rng)
    found, scores = lift_views.with_errors(view.keypoints, bank, rng)
    result = {}
    for name, keypoints, given in (("exact", view.keypoints, np.ones_like(scores)), ("found", found, scores)):
        errors = mpjpe(lift_all(lift_of, keypoints, given), view.positions_mm)
        flat_errors = mpjpe(flat(keypoints, view.positions_mm), view.positions_mm)
        result[name] = figures(errors, flat_errors, bodies.action)
    return result


def evaluate(lift_of: LiftOf, data: Path, bank: ErrorBank) -> dict[str, Any]:
    """Figures on the held-out sequences, with CMU's skeleton and with the proportions of labelled photographs.

    Args:
        lift_of: Keypoints (B, 16, 2) in 0..1 of the crop and scores (B, 16) to positions (B, 16, 3) in mm.
        data: Folder of the training data.
        bank: Of people that no network was trained on.
    """
    held_out = lift_data.load_bodies(data, held_out=True)
    chosen = np.repeat(np.arange(0, len(held_out.joints_mm), EVERY), VIEWS)
    bodies = lift_data.Bodies(held_out.joints_mm[chosen], held_out.action[chosen], held_out.sequence[chosen])
    factors = np.tile(lift_data.PHOTOGRAPHED, (len(chosen), 1))
    bones = lift_data.in_proportions(lift_data.to_bones(bodies.joints_mm), factors)
    photographed = lift_data.Bodies(lift_data.to_joints(bones), bodies.action, bodies.sequence)
    return {
        "views": len(chosen),
        "cmu_skeleton": measure(lift_of, bodies, bank),
        "photographed_skeleton": measure(lift_of, photographed, bank),
    }


def torch_lift(weights: Path) -> LiftOf:
    import torch

    from models.lite.lift.network import LiftNetwork, ServedLift
    from models.lite.training import trained

    served = ServedLift(trained(LiftNetwork(), weights)).eval()

    def lift_of(keypoints: Floats, scores: Floats) -> Floats:
        with torch.no_grad():
            positions: Floats = served(torch.from_numpy(keypoints), torch.from_numpy(scores)).numpy()
        return positions

    return lift_of


def onnx_lift(frame: Path) -> LiftOf:
    """The lift cut out of a served frame network: the nodes between its x, y and its z.

    `keypoints` concatenates x, y with z; z is a slice of the lift's positions, scaled.
    """
    import onnx
    import onnxruntime
    from onnx.utils import Extractor

    model = onnx.load(frame)
    made_by = {name: node for node in model.graph.node for name in node.output}
    xy, z = made_by[KEYPOINTS].input
    node = made_by[z]
    while node.op_type != "Slice":
        node = made_by[node.input[0]]
    lift = Extractor(model).extract_model([xy, KEYPOINT_SCORES], [node.input[0]])
    session = onnxruntime.InferenceSession(lift.SerializeToString(), providers=["CPUExecutionProvider"])

    def lift_of(keypoints: Floats, scores: Floats) -> Floats:
        (positions,) = session.run(None, {xy: keypoints, KEYPOINT_SCORES: scores})
        return np.asarray(positions, np.float32)

    return lift_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument(
        "--weights", type=Path, default=Path("build/lite/lift_checkpoint.pt"), help=".pt, or a frame network's .onnx"
    )
    parser.add_argument("--bank", type=Path, default=Path("build/lite") / error_bank.HELD_OUT_BANK)
    arguments = parser.parse_args()
    load = onnx_lift if arguments.weights.suffix == ".onnx" else torch_lift
    print(json.dumps(evaluate(load(arguments.weights), arguments.data, error_bank.load(arguments.bank)), indent=2))


if __name__ == "__main__":
    main()
