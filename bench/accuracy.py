"""The served model's accuracy on real people and real clips.

    make evaluate-lite

Starts a service of its own and asks it over gRPC, as a user would. Needs the data of `make train-lite`.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import cv2
import numpy as np
import tritonclient.grpc as triton
from deephar import Client
from deephar.v1 import inference_pb2 as pb
from deephar.video import frames_of

from models.lite import clip_data, evaluate_clip, pose_data
from tests.service_process import running_service

HIT_TORSO = 0.2
JOINTS = ("head", "neck", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")


def measure_pose(client: Client, people: pose_data.People, with_boxes: bool) -> dict[str, float]:
    """PCK@0.2 (torso) of LSP's 14 joints: over all of them, and per kind of joint."""
    hits: dict[str, list[bool]] = {}
    for image, joints, valid in zip(people.images, people.joints, people.valid, strict=True):
        jpeg = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))[1].tobytes()
        low, high = joints[valid].min(0), joints[valid].max(0)
        box = (float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1]))
        answer = client.pose(jpeg, boxes=[box] if with_boxes else [], layout="lsp14")
        torso = pose_data.torso_size(joints, valid)
        found = np.full((14, 2), np.inf)
        if answer.people:
            found = np.array([[k.x, k.y] for k in answer.people[0].keypoints])
        near = np.linalg.norm(found - joints[pose_data.LSP_TO_PA16], axis=1) < HIT_TORSO * torso
        for name, hit, labelled in zip(answer.layout.joints, near, valid[pose_data.LSP_TO_PA16], strict=True):
            if labelled:
                hits.setdefault(name.split("_")[-1], []).append(bool(hit))
    figures = {"all": float(np.mean([hit for some in hits.values() for hit in some]))}
    return figures | {name: float(np.mean(hits[name])) for name in JOINTS}


def measure_labels(address: str, data: Path) -> dict[str, object]:
    """The served clip network on Penn Action's official test clips, from annotated joints."""
    server = triton.InferenceServerClient(address)

    def scores_of(features: np.ndarray, crops: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        parts = []
        for start in range(0, len(features), 32):
            inputs = []
            for name, array in (("action_features", features), ("crop_boxes", crops)):
                part = np.ascontiguousarray(array[start : start + 32], dtype=np.float32)
                tensor = triton.InferInput(name, list(part.shape), "FP32")
                tensor.set_data_from_numpy(part)
                inputs.append(tensor)
            parts.append(server.infer("lite_clip", inputs).as_numpy("action_scores"))
        return np.concatenate(parts)

    clips = clip_data.load_clips(data, train=False)
    frames, owners = evaluate_clip.test_windows(clips)
    windows = clip_data.annotated(clip_data.cut(clips, frames))
    return evaluate_clip.measure(scores_of, *windows, owners, clips.labels)


def measure_clips(client: Client, folder: Path) -> list[tuple[str, str, str, float]]:
    """File, its class, the class that the service names, and that one's score."""
    rows = []
    with (folder / "manifest.csv").open() as manifest:
        for line in csv.DictReader(manifest):
            if line["label"] in clip_data.ACTIONS:
                best = client.classify(frames_of(str(folder / line["file"])), pb.StreamConfig()).actions[0]
                rows.append((line["file"], line["label"], best.label, best.score))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    arguments = parser.parse_args()
    people = pose_data.load_held_out(arguments.data)
    with running_service() as service, Client(service.grpc_address) as client:
        for with_boxes in (True, False):
            figures = measure_pose(client, people, with_boxes)
            print(f"PCK@0.2, {len(people.images)} held-out people of LSP, {'with' if with_boxes else 'without'} boxes")
            print("  " + "  ".join(f"{name} {100 * value:.1f}" for name, value in figures.items()))
        print("Penn Action, official test clips, from annotated joints")
        for name, value in measure_labels(service.triton_address(), arguments.data).items():
            print(f"  {name}: {value}")
        rows = measure_clips(client, arguments.data / "clips")
    print(f"real clips: {sum(truth == named for _, truth, named, _ in rows)} of {len(rows)} named right")
    for file, truth, named, score in rows:
        print(f"  {'+' if truth == named else '-'} {file:26} {truth:16} {named:16} {score:.2f}")


if __name__ == "__main__":
    main()
