"""Several pictures in one request to the real service: each is answered as it is alone."""

from __future__ import annotations

from typing import Any

import cv2
import httpx
import numpy as np

from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES


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
