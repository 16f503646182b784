"""One of deephar's networks all the way: a weight file is imported, cut, exported, and served next to `lite`.

`test_deephar_networks` has all six.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.testing.running import ServiceProcess, running_service
from tests.integration.made_networks import BOX, DIMS_AND_ACTIONS, pose, served

NAME = "ntu@2"
DIMS, ACTIONS = DIMS_AND_ACTIONS["ntu"]


@pytest.fixture(scope="module")
def exact(cut_repository: Path) -> Iterator[ServiceProcess]:
    with running_service(model_repository=str(cut_repository), precision="fp32") as service:
        yield service


def test_it_is_served_next_to_lite(exact: ServiceProcess) -> None:
    models = {m["name"]: m for m in httpx.get(f"{exact.url}/v1/models").json()["models"]}
    assert set(models) == {NAME, "lite"}
    card = models[NAME]["card"]
    assert models[NAME]["ready"]
    assert (card["dims"], len(card["clip"]["labels"]), card["crop"]["size"]) == (DIMS, ACTIONS, 256)
    assert card["blocks"] == {"used": 2, "all": 6}


def test_triton_gives_what_the_network_gives_in_torch(exact: ServiceProcess, cut_repository: Path) -> None:
    found, expected = served(exact, NAME, cut_repository)
    assert {"keypoints", "keypoint_scores", "action_scores"} < set(expected)
    for name in set(expected) - {"pictures"}:
        assert np.abs(found[name] - expected[name]).max() < 1e-4, name


def test_a_picture_gets_a_pose_in_3d(exact: ServiceProcess, person_jpeg: bytes) -> None:
    answer = pose(exact, person_jpeg, model=NAME)
    (person,) = answer["people"]
    assert [point["name"] for point in person["keypoints"]] == answer["layout"]["joints"]
    assert all("z" in point and 0 <= point["score"] <= 1 for point in person["keypoints"])


def test_a_video_gets_its_actions(exact: ServiceProcess, clip_mp4: bytes) -> None:
    options = {"model": NAME, "boxes": BOX, "top_k": "15", "hop": "8"}
    response = httpx.post(f"{exact.url}/v1/actions", files={"video": clip_mp4}, data=options, timeout=300)
    assert response.status_code == 200, response.text
    assert len(response.json()["actions"]) == 15
