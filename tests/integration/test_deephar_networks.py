"""deephar's six networks, with made weights, on the real embedded Triton next to `lite`."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.made_networks import BOX, pose, served
from tests.integration.made_networks import DIMS_AND_ACTIONS as MODELS

pytestmark = pytest.mark.networks
SMALL = 0.01  # of the crop: what bf16 may change


@pytest.fixture(scope="module")
def exact(made_repository: Path) -> Iterator[ServiceProcess]:
    with running_service(model_repository=str(made_repository), precision="fp32") as service:
        yield service


def test_all_six_are_served_next_to_lite(exact: ServiceProcess) -> None:
    models = {m["name"]: m for m in httpx.get(f"{exact.url}/v1/models").json()["models"]}
    assert set(models) == {*MODELS, "lite", "ntu@2", "penn@3"}
    assert all(model["ready"] for model in models.values())
    for name, (dims, actions) in MODELS.items():
        card = models[name]["card"]
        assert card["dims"] == dims
        assert card["crop"]["size"] == 256
        assert len(card.get("clip", {}).get("labels", ())) == actions
        assert card["blocks"]["used"] == card["blocks"]["all"]


def test_a_cut_network_says_so_and_knows_actions_while_an_action_block_is_left(exact: ServiceProcess) -> None:
    models = {m["name"]: m["card"] for m in httpx.get(f"{exact.url}/v1/models").json()["models"]}
    assert models["ntu@2"]["blocks"] == {"used": 2, "all": 6}
    assert len(models["ntu@2"]["clip"]["labels"]) == 60
    assert models["penn@3"]["blocks"] == {"used": 3, "all": 18}
    assert "clip" not in models["penn@3"]


@pytest.mark.parametrize("model", MODELS)
def test_triton_gives_what_the_network_gives_in_torch(exact: ServiceProcess, made_repository: Path, model: str) -> None:
    """The whole network on a clip in torch against frame and clip network in Triton."""
    found, expected = served(exact, model, made_repository)
    for name in set(expected) - {"pictures"}:
        assert np.abs(found[name] - expected[name]).max() < 1e-4, name


@pytest.mark.parametrize("model", [*MODELS, "ntu@2", "penn@3"])
def test_a_picture_gets_a_pose_of_each(exact: ServiceProcess, person_jpeg: bytes, model: str) -> None:
    answer = pose(exact, person_jpeg, model=model)
    (person,) = answer["people"]
    assert [point["name"] for point in person["keypoints"]] == answer["layout"]["joints"]
    dims = MODELS[model.partition("@")[0]][0]
    for point in person["keypoints"]:
        assert ("z" in point) == (dims == 3)
        assert 0 <= point["score"] <= 1


@pytest.mark.parametrize("model", MODELS)
def test_a_picture_without_a_box_is_answered(exact: ServiceProcess, person_jpeg: bytes, model: str) -> None:
    """What is found with made weights means nothing; that it is looked for does."""
    assert len(pose(exact, person_jpeg, box=False, model=model)["people"]) <= 1


@pytest.mark.parametrize("model", [name for name, (dims, _) in MODELS.items() if dims == 3])
def test_a_camera_places_the_joints_in_space(exact: ServiceProcess, person_jpeg: bytes, model: str) -> None:
    camera = {"fx": 1145.0, "fy": 1143.0, "cx": 320.0, "cy": 240.0, "root_depth_mm": 4000.0}
    answer = pose(exact, person_jpeg, model=model, camera=json.dumps(camera))
    assert answer["layout"]["units"]["z"] == "mm_from_root"
    for point in answer["people"][0]["keypoints"]:
        x, y, z = point["position_mm"]
        assert abs(point["z"]) <= 1000
        assert z == pytest.approx(4000 + point["z"])
        assert x / z * camera["fx"] + camera["cx"] == pytest.approx(point["x"])
        assert y / z * camera["fy"] + camera["cy"] == pytest.approx(point["y"])


@pytest.mark.parametrize("model", [*(name for name, (_, actions) in MODELS.items() if actions), "ntu@2"])
def test_a_video_gets_its_actions_of_each(exact: ServiceProcess, clip_mp4: bytes, model: str) -> None:
    options = {"model": model, "boxes": BOX, "top_k": "15", "hop": "8"}
    response = httpx.post(f"{exact.url}/v1/actions", files={"video": clip_mp4}, data=options, timeout=300)
    assert response.status_code == 200, response.text
    answer = response.json()
    actions = answer["actions"]
    # Networks of random weights see nobody for long; then the answer says so.
    assert (len(actions), answer["reason"]) in ((15, None), (0, "not_seen"))
    assert sum(action["score"] for action in actions) <= 1 + 1e-6
    assert actions == sorted(actions, key=lambda action: -action["score"])


def test_a_model_that_is_exported_anew_shows_its_new_card(exact: ServiceProcess, made_repository: Path) -> None:
    config = made_repository / "penn@3_frame" / "config.pbtxt"
    text = config.read_text()

    def described() -> str:
        return str(httpx.get(f"{exact.url}/v1/models/penn@3").json()["card"]["description"])

    try:
        config.write_text(text.replace("2D poses and actions", "2D poses, another time"))
        deadline = time.monotonic() + 60
        while "another time" not in described():
            assert time.monotonic() < deadline, described()
            time.sleep(0.5)
    finally:
        config.write_text(text)
    assert "cut after 3 of 18" in text


def test_a_stream_over_grpc_gets_actions(exact: ServiceProcess) -> None:
    from deephar.v1 import inference_pb2 as pb

    config = pb.StreamConfig(model="ntu", hop=8, box=pb.Box(x=225, y=70, width=190, height=345))
    with GrpcCalls(exact.grpc_address) as client:
        events = list(client.stream(frames_of(str(SAMPLES / "jumping_jacks.mp4")), config))
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds.count("pose") >= 8  # networks of random weights see nobody for long: no window has an action


@pytest.mark.parametrize("model", [*(name for name, (_, actions) in MODELS.items() if not actions), "penn@3"])
def test_actions_are_refused_where_a_model_knows_none(exact: ServiceProcess, clip_mp4: bytes, model: str) -> None:
    response = httpx.post(f"{exact.url}/v1/actions", files={"video": clip_mp4}, data={"model": model}, timeout=60)
    assert response.status_code == 422
    assert response.json()["code"] == "invalid_argument"


@pytest.mark.long
def test_bf16_moves_keypoints_by_less_than_a_hundredth_of_the_crop(
    made_repository: Path, exact: ServiceProcess, person_jpeg: bytes
) -> None:
    with running_service(model_repository=str(made_repository), precision="bf16") as rough:
        for model in MODELS:
            ours, theirs = served(rough, model, made_repository)[0], served(exact, model, made_repository)[0]
            assert np.abs(ours["keypoints"] - theirs["keypoints"]).max() < SMALL, model
        ours_px, theirs_px = (
            np.array([[k["x"], k["y"]] for k in pose(service, person_jpeg)["people"][0]["keypoints"]])
            for service in (rough, exact)
        )
    crop_side = 1.15 * 345  # lite's margin around the box's longer side
    assert np.abs(ours_px - theirs_px).max() < SMALL * crop_side
