"""Several pictures, and clips as frames, to the real service: answered as they are alone, and as a video."""

from __future__ import annotations

import json
from typing import Any

import cv2
import httpx
import numpy as np
import pytest

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES
from tests.grpc_calls import frames_of


def joints(answer: dict[str, Any]) -> np.ndarray:
    return np.array([[[k["x"], k["y"], k["score"]] for k in person["keypoints"]] for person in answer["people"]])


def test_each_is_answered_as_it_is_alone(service: ServiceProcess) -> None:
    person, people = (cv2.imread(str(SAMPLES / name)) for name in ("person.jpg", "people.jpg"))
    assert person is not None
    assert people is not None
    kinds = [person, people, person[:, ::-1], people[:, ::-1], np.zeros((99, 101, 3), np.uint8)]
    files = [cv2.imencode(".jpg", picture)[1].tobytes() for picture in kinds * 3]
    together = httpx.post(f"{service.url}/v1/pose", files=[("image", data) for data in files], timeout=120)
    assert together.status_code == 200, together.text
    answers = together.json()["answers"]
    assert len(answers) == 15
    for i in range(5):
        alone = httpx.post(f"{service.url}/v1/pose", files={"image": files[i]}).json()
        for answer in answers[i::5]:
            assert answer["image"] == alone["image"]
            assert len(answer["people"]) == len(alone["people"])
            if alone["people"]:
                assert np.abs(joints(answer) - joints(alone)).max() < 0.5  # batches are added up in another order
    assert [len(answer["people"]) for answer in answers[:5]] == [1, 4, 1, 4, 0]


@pytest.mark.parametrize("times", [{"fps": "25"}, {"timestamps_ms": json.dumps([40.0 * i for i in range(100)])}])
def test_a_clip_as_frames_has_the_actions_of_the_video(
    service: ServiceProcess, clip_mp4: bytes, times: dict[str, str]
) -> None:
    frames = [("frames", frame.encoded) for frame in frames_of(str(SAMPLES / "jumping_jacks.mp4"))]
    answer = httpx.post(f"{service.url}/v1/actions", files=frames, data=times, timeout=120)
    assert answer.status_code == 200, answer.text
    video = httpx.post(f"{service.url}/v1/actions", files={"video": clip_mp4}, timeout=120).json()
    assert answer.json()["video"] == video["video"]
    (best, *_), (best_of_video, *_) = answer.json()["actions"], video["actions"]
    assert best["label"] == best_of_video["label"] == "jumping_jacks"
    assert best["score"] == pytest.approx(best_of_video["score"], abs=0.05)
