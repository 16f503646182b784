"""Models with three dimensions, and models as large as deephar's, on the real Triton: networks with known answers."""

from __future__ import annotations

import base64
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from deephar.v1 import inference_pb2 as pb
from PIL import Image as Pillow

from service.testing.running import ROOT, ServiceProcess, running_service
from tests.grpc_calls import GrpcCalls
from tests.integration import known_answers as known
from tests.integration.known_picture import BLUE, BOX, CAMERA, JOINTS, OTHER_BOX, RED, expected, picture, places
from tests.integration.waiting import wait_for
from tests.videos import video

MODELS_PYTHON = ROOT / ".venv-models" / "bin" / "python"


@pytest.fixture(scope="module")
def known_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    if not MODELS_PYTHON.exists():
        pytest.skip("needs .venv-models, which `make test` sets up, to write its networks")
    repository = tmp_path_factory.mktemp("known") / "models"
    subprocess.run([MODELS_PYTHON, "-m", "tests.integration.known_networks", str(repository)], cwd=ROOT, check=True)
    with running_service(model_repository=str(repository), default_model="known3d", precision="fp32") as running:
        yield running


@pytest.fixture(scope="module")
def client(known_service: ServiceProcess) -> Iterator[GrpcCalls]:
    with GrpcCalls(known_service.grpc_address) as client:
        yield client


def ask(service: ServiceProcess, accept: str = "application/json", **options: Any) -> httpx.Response:
    data = {name: value if isinstance(value, str) else json.dumps(value) for name, value in options.items()}
    headers = {"accept": accept}
    return httpx.post(f"{service.url}/v1/pose", files={"image": picture()}, data=data, headers=headers, timeout=60)


def column(person: dict[str, Any], name: str) -> np.ndarray:
    return np.array([point[name] for point in person["keypoints"]])


def test_z_is_in_millimetres_from_the_root_and_the_layout_says_so(known_service: ServiceProcess) -> None:
    answer = ask(known_service, boxes=[BOX, OTHER_BOX]).json()
    assert answer["layout"]["units"] == {"x": "px", "y": "px", "z": "mm_from_root"}
    assert answer["layout"]["joints"] == list(JOINTS)
    for person, box in zip(answer["people"], (BOX, OTHER_BOX), strict=True):
        points_px, depths_mm = expected(box)
        assert column(person, "x") == pytest.approx(points_px[:, 0], abs=0.01)
        assert column(person, "y") == pytest.approx(points_px[:, 1], abs=0.01)
        assert column(person, "z") == pytest.approx(depths_mm, abs=0.01)
        assert column(person, "score") == pytest.approx(BLUE / 255, abs=1e-5)
        assert not any("position_mm" in point for point in person["keypoints"])


def test_a_model_with_two_dimensions_has_no_z(known_service: ServiceProcess, client: GrpcCalls) -> None:
    answer = ask(known_service, model="known2d", boxes=[BOX] * 9).json()  # more boxes than its largest batch
    assert answer["layout"]["units"] == {"x": "px", "y": "px"}
    assert all(set(point) == {"name", "x", "y", "score"} for p in answer["people"] for point in p["keypoints"])
    assert len(answer["people"]) == 9
    over_grpc = client.pose(picture(), model="known2d", boxes=[BOX])
    assert over_grpc.layout.units == pb.Units(x=pb.UNIT_PX, y=pb.UNIT_PX)
    assert not any(k.HasField("z") or k.HasField("position_mm") for k in over_grpc.people[0].keypoints)


def test_models_say_their_units(known_service: ServiceProcess, client: GrpcCalls) -> None:
    models = {m["name"]: m for m in httpx.get(f"{known_service.url}/v1/models").json()["models"]}
    assert models["known3d"]["layout"]["units"]["z"] == "mm_from_root"
    assert models["known3d"]["card"]["depth_scale_mm"] == 2000
    assert "z" not in models["known2d"]["layout"]["units"]
    assert {m.name: m.layout.units.z for m in client.models()} == {
        "known3d": pb.UNIT_MM_FROM_ROOT,
        "known2d": pb.UNIT_UNSPECIFIED,
    }


def test_models_with_wrong_cards_are_left_out_and_the_log_says_why(known_service: ServiceProcess) -> None:
    names = {m["name"] for m in httpx.get(f"{known_service.url}/v1/models").json()["models"]}
    assert names == {"known3d", "known2d"}
    refused = {
        "nodepth_frame is refused: ": "must have depth_scale_mm",
        "twodepth_frame is refused: ": "must not have depth_scale_mm",
        "misshapen_frame is refused: ": "keypoints of shape [16, 3], the network has [16, 2]",
    }
    assert wait_for(lambda: all(line in known_service.log.read_text() for line in refused))
    assert all(reason in known_service.log.read_text() for reason in refused.values())


def test_a_camera_places_joints_in_space(known_service: ServiceProcess) -> None:
    (person,) = ask(known_service, boxes=[BOX], camera=CAMERA).json()["people"]
    assert column(person, "position_mm") == pytest.approx(places(BOX, 4000), abs=0.01)
    assert column(person, "position_mm")[:, 2] == pytest.approx(4000 + column(person, "z"), abs=0.01)


def test_the_ways_to_send_a_camera_are_one(known_service: ServiceProcess, client: GrpcCalls) -> None:
    url, text = f"{known_service.url}/v1/pose", json.dumps(CAMERA)
    document = {"image": base64.b64encode(picture()).decode(), "boxes": [list(BOX)], "camera": CAMERA}
    query = {"boxes": json.dumps([BOX]), "camera": text}
    responses = [
        ask(known_service, boxes=[BOX], camera=CAMERA),
        httpx.post(url, content=picture(), params=query),
        httpx.post(url, json=document),
        httpx.post(url, json=document | {"camera": CAMERA | {"root_depth_mm": [4000]}}),
    ]
    people = [response.json()["people"] for response in responses]
    assert all(p == people[0] for p in people)
    camera = pb.Camera(**CAMERA | {"root_depth_mm": [4000]})
    over_grpc = client.pose(picture(), boxes=[BOX], camera=camera).people[0]
    theirs = [[k.position_mm.x, k.position_mm.y, k.position_mm.z] for k in over_grpc.keypoints]
    assert np.array_equal(theirs, column(people[0][0], "position_mm"))
    assert [k.z for k in over_grpc.keypoints] == column(people[0][0], "z").tolist()


@pytest.mark.parametrize(
    ("root_depth_mm", "each"), [([4000, 2500.5], (4000, 2500.5)), (3000, (3000, 3000)), ([3000], (3000, 3000))]
)
def test_each_box_has_its_root_depth_or_all_the_same(
    known_service: ServiceProcess, root_depth_mm: Any, each: tuple[float, float]
) -> None:
    camera = CAMERA | {"root_depth_mm": root_depth_mm}
    people = ask(known_service, boxes=[BOX, OTHER_BOX], camera=camera).json()["people"]
    assert column(people[0], "position_mm") == pytest.approx(places(BOX, each[0]), abs=0.01)
    assert column(people[1], "position_mm") == pytest.approx(places(OTHER_BOX, each[1]), abs=0.01)


def test_layouts_are_converted_in_space(known_service: ServiceProcess) -> None:
    """A joint in the middle of two lies in their middle in space, and not where the middle of their pixels says."""
    own, other = (ask(known_service, boxes=[BOX], camera=CAMERA, layout=layout).json() for layout in ("pa20", "h36m17"))
    assert other["layout"]["units"]["z"] == "mm_from_root"
    by_name = {point["name"]: point for point in own["people"][0]["keypoints"]}
    for point in other["people"][0]["keypoints"]:
        if point["name"] != "spine":
            assert point == by_name[point["name"]]
    spine = next(p for p in other["people"][0]["keypoints"] if p["name"] == "spine")
    middle = (np.array(by_name["pelvis"]["position_mm"]) + by_name["thorax"]["position_mm"]) / 2
    assert spine["position_mm"] == pytest.approx(middle, abs=0.01)
    assert spine["z"] == pytest.approx((by_name["pelvis"]["z"] + by_name["thorax"]["z"]) / 2, abs=0.01)


def test_skeletons_in_three_dimensions_are_drawn(known_service: ServiceProcess) -> None:
    response = ask(known_service, "image/png", boxes=[BOX], camera=CAMERA, layout="mpii16")
    assert response.headers["content-type"] == "image/png"
    with Pillow.open(io.BytesIO(response.content)) as drawn:
        changed = (np.asarray(drawn.convert("RGB")) != [RED, 100, BLUE]).any(axis=2)
    assert changed[:, 150:400].sum() > 500
    assert not changed[:, 450:].any()


def test_the_person_is_found_without_a_box(known_service: ServiceProcess) -> None:
    (person,) = ask(known_service, camera=CAMERA).json()["people"]
    assert column(person, "z") == pytest.approx(expected(BOX)[1], abs=0.01)
    assert column(person, "position_mm")[:, 2] == pytest.approx(4000 + expected(BOX)[1], abs=0.01)


@pytest.mark.parametrize(
    ("model", "boxes", "change"),
    [
        ("known2d", [BOX], {}),
        ("", [BOX], {"fx": 0.0}),
        ("", [BOX], {"fy": -1.0}),
        ("", [BOX], {"cx": float("nan")}),
        ("", [BOX], {"fx": float("inf")}),
        ("", [BOX], {"fx": 1e-300}),
        ("", [BOX], {"root_depth_mm": [0.0]}),
        ("", [BOX], {"root_depth_mm": [-10.0]}),
        ("", [BOX], {"root_depth_mm": [float("inf")]}),
        ("", [BOX], {"root_depth_mm": []}),
        ("", [BOX], {"root_depth_mm": [1.0, 2.0]}),
        ("", [], {"root_depth_mm": [1.0, 2.0]}),
        ("", [BOX] * 3, {"root_depth_mm": [1.0, 2.0]}),
    ],
)
def test_impossible_cameras_get_the_same_words_on_both_transports(
    known_service: ServiceProcess, client: GrpcCalls, model: str, boxes: list[Any], change: dict[str, Any]
) -> None:
    camera = CAMERA | {"root_depth_mm": [4000.0]} | change
    response = ask(known_service, model=model, boxes=boxes, camera=camera)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_argument")
    with pytest.raises(grpc.RpcError) as caught:
        client.pose(picture(), model=model, boxes=boxes, camera=pb.Camera(**camera))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert caught.value.details() == response.json()["detail"]


@pytest.mark.parametrize(
    "camera",
    [
        "here",
        "[1, 2, 3, 4]",
        "7",
        '"text"',
        "{}",
        json.dumps(CAMERA | {"k1": 0.1}),
        json.dumps({name: value for name, value in CAMERA.items() if name != "root_depth_mm"}),
        json.dumps(CAMERA | {"root_depth_mm": None}),
        json.dumps(CAMERA | {"root_depth_mm": "4000"}),
        json.dumps(CAMERA | {"root_depth_mm": [[4000]]}),
        json.dumps(CAMERA | {"fx": True}),
        json.dumps(CAMERA | {"fx": 10**400}),
        "[" * 60_000,
    ],
)
def test_what_is_no_camera_is_told_what_one_is(known_service: ServiceProcess, camera: str) -> None:
    response = ask(known_service, boxes=[BOX], camera=camera)
    assert (response.status_code, response.json()["code"]) == (422, "invalid_argument")
    assert '"root_depth_mm"' in response.json()["detail"]


def test_more_crops_than_one_batch_and_large_features(known_service: ServiceProcess) -> None:
    """40 crops of 256 x 256 are 7.9 MB, their features 3.2 MB: more than gRPC's usual 4 MB to Triton."""
    boxes = [(100.0 + 5 * i, 150.0, 100.0 + i, 150.0) for i in range(40)]
    people = ask(known_service, boxes=boxes).json()["people"]
    assert [tuple(p["box"]) for p in people] == boxes
    for person, box in zip(people, boxes, strict=True):
        assert column(person, "x") == pytest.approx(expected(box)[0][:, 0], abs=0.01)


def test_a_stream_through_a_large_clip_network(client: GrpcCalls) -> None:
    """20 frames of 20000 features each, 60 labels; green chooses the action, red moves z."""
    greens = [40] * 60 + [180] * 60
    frames = [
        pb.Frame(
            raw=pb.RawImage(rgb=_moving(green, i), width=96, height=96), frame_id=i, timestamp_ns=round(i * 1e9 / 30)
        )
        for i, green in enumerate(greens)
    ]
    config = pb.StreamConfig(top_k=60, layout="pa17", box=pb.Box(x=20, y=20, width=50, height=50))
    events = list(client.stream(frames, config))
    actions = [event.action for event in events if event.WhichOneof("event") == "action"]
    assert len(actions) == 1 + (60 - known.FRAMES) // (known.FRAMES // 4)
    assert [len(action.actions) for action in actions] == [60] * len(actions)
    assert actions[0].actions[0].label == known.label_of(40 / 255)
    assert actions[-1].actions[0].label == known.label_of(180 / 255)
    assert actions[0].end_s == pytest.approx((known.FRAMES - 1) * known.INTERVAL_S, abs=1e-6)
    segments = [event.segment for event in events if event.WhichOneof("event") == "segment"]
    assert (segments[0].label, segments[-1].label) == (known.label_of(40 / 255), known.label_of(180 / 255))
    assert all(a.end_s == b.start_s for a, b in pairwise(segments))
    poses = [event.pose for event in events if event.WhichOneof("event") == "pose"]
    assert len(poses) == 60
    depths = dict(zip(JOINTS, expected(BOX)[1], strict=True))
    for pose in poses:
        for point in pose.people[0].keypoints:
            middle = (depths["pelvis"] + depths["thorax"]) / 2
            assert point.z == pytest.approx(depths.get(point.name, middle), abs=0.01)


def _moving(green: int, index: int) -> bytes:
    """Pixels of one red and green; in blue a spot moves over a scene that stays."""
    pixels = np.full((96, 96, 3), (RED, green, BLUE), np.uint8)
    pixels[..., 2] = np.linspace(0, 255, 96)
    pixels[40:56, 3 * index % 80 : 3 * index % 80 + 16, 2] = 128
    return pixels.tobytes()


def test_pose_events_of_a_video_have_depth(known_service: ServiceProcess) -> None:
    """Frame i has brightness 2 i: from some frame on somebody is seen, ever further back."""
    clip = video([i / 15 for i in range(100)], size=(64, 64))
    headers = {"accept": "application/x-ndjson", "content-type": "video/mp4"}
    response = httpx.post(f"{known_service.url}/v1/actions?layout=mpii16", content=clip, headers=headers, timeout=60)
    lines = [json.loads(line) for line in response.text.splitlines()]
    assert lines[-1]["event"] == "answer"
    poses = [line for line in lines if line["event"] == "pose" and line["people"]]
    assert len(poses) >= 50
    depths = dict(zip(JOINTS, expected(BOX, red=0)[1], strict=True))
    for line in poses:
        moved = known.Z_PER_RED * 2 * line["frame_id"] / 255 * known.DEPTH_SCALE_MM
        for point in line["people"][0]["keypoints"]:
            assert point["z"] == pytest.approx(depths[point["name"]] + moved, abs=5)


def test_the_command_line_prints_depth_and_places(known_service: ServiceProcess, tmp_path: Path) -> None:
    file = tmp_path / "picture.png"
    file.write_bytes(picture())
    command = [str(Path(sys.executable).parent / "deephar"), "pose", "--address", known_service.grpc_address, str(file)]
    plain, placed, refused = (
        subprocess.run([*command, *more], capture_output=True, text=True, timeout=60, check=False)
        for more in ([], ["--camera", "1145,1143.5,320,240,4000"], ["--camera", "1145,1143.5"])
    )
    depths_mm = expected(BOX)[1]
    rows, placed_rows = plain.stdout.splitlines()[-len(JOINTS) :], placed.stdout.splitlines()[-len(JOINTS) :]
    for joint, depth_mm, row, placed_row in zip(JOINTS, depths_mm, rows, placed_rows, strict=True):
        name, _, _, z, score = row.split()
        assert (name, score) == (joint, "0.80")
        assert float(z) == pytest.approx(depth_mm, abs=0.1)
        assert float(placed_row.split()[-1]) == pytest.approx(4000 + depth_mm, abs=0.1)
    assert refused.returncode == 2
    assert "--camera" in refused.stderr
    assert "write, for example, 1145,1145,320,240,4000" in refused.stderr
