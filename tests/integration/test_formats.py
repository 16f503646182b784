"""Answers in formats of other programs, from the real service: by Accept and by the option, of pictures and videos."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from deephar.formats import FORMATS, Poses
from pycocotools.coco import COCO
from trc import TRCData

from service.rest.formats import Name
from service.testing.running import ServiceProcess
from tests.conftest import SAMPLES

Json = dict[str, Any]
CAMERA = json.dumps({"fx": 1145, "fy": 1145, "cx": 320, "cy": 240, "root_depth_mm": 4000})


def ask(service: ServiceProcess, path: str, accept: str = "*/*", **options: Any) -> httpx.Response:
    file = {"/v1/pose": ("image", "people.jpg"), "/v1/actions": ("video", "jumping_jacks.mp4")}[path]
    files = {file[0]: (file[1], (SAMPLES / file[1]).read_bytes())}
    return httpx.post(f"{service.url}{path}", files=files, data=options, headers={"accept": accept}, timeout=60)


@pytest.fixture(scope="module")
def pose_events(service: ServiceProcess) -> list[Json]:
    lines = ask(service, "/v1/actions", "application/x-ndjson").text.splitlines()
    return [event for event in map(json.loads, lines) if event["event"] == "pose"]


def of_picture(answer: Json) -> list[Poses]:
    return [Poses.of_picture(answer, "people.jpg")]


@pytest.mark.parametrize("name", ["coco", "openpose", "csv"])
def test_a_picture_in_a_format_has_the_numbers_of_its_json(service: ServiceProcess, name: str) -> None:
    form = FORMATS[name]
    by_accept, by_option = ask(service, "/v1/pose", form.media_type), ask(service, "/v1/pose", format=name)
    assert by_accept.headers["content-type"].partition(";")[0] == form.media_type
    assert by_accept.text == by_option.text
    answer = ask(service, "/v1/pose", layout=form.layout or "").json()
    assert len(answer["people"]) == 4
    assert by_option.text == "".join(form.chunks(of_picture(answer), answer["layout"]))
    assert form.layout in (None, answer["layout"]["name"])
    asked = ask(service, "/v1/pose", format=name, layout="mpii16").text
    answer = ask(service, "/v1/pose", layout="mpii16").json()
    assert asked == "".join(form.chunks(of_picture(answer), answer["layout"])), "a layout that is asked for stays"


def test_a_picture_in_space(service: ServiceProcess, tmp_path: Path) -> None:
    answer = ask(service, "/v1/pose", camera=CAMERA).json()
    for person_id in (None, 2):
        asked = ask(service, "/v1/pose", format="trc", camera=CAMERA, **({"person_id": person_id} if person_id else {}))
        (tmp_path / "take.trc").write_text(asked.text)
        data = TRCData()
        data.load(str(tmp_path / "take.trc"))
        for joint in answer["people"][(person_id or 1) - 1]["keypoints"]:
            x, y, z = joint["position_mm"]
            assert data[joint["name"]] == [pytest.approx([x, -y, -z], abs=1e-3)]


def test_lengths_without_a_camera_are_those_of_a_person(service: ServiceProcess) -> None:
    text = ask(service, "/v1/actions", format="trc").text
    data = TRCData()
    data.parse(text)
    assert data["DataRate"] == pytest.approx(10, abs=1)
    up = np.array(data["neck"])[:, 1] - (np.array(data["right_ankle"]) + data["left_ankle"])[:, 1] / 2
    assert 1000 < np.median(up) < 1900


def test_several_pictures_are_one_document(service: ServiceProcess, tmp_path: Path) -> None:
    names = ["person.jpg", "people.jpg"]
    files = [("image", (name, (SAMPLES / name).read_bytes())) for name in names]
    whole = httpx.post(f"{service.url}/v1/pose", files=files, data={"layout": "coco17"}, timeout=60).json()["answers"]
    asked = httpx.post(f"{service.url}/v1/pose?format=coco", files=files, timeout=60)
    (tmp_path / "coco.json").write_text(asked.text)
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(tmp_path / "coco.json"))
    assert [image["file_name"] for image in coco.dataset["images"]] == names
    counts = [len(coco.getAnnIds(imgIds=[image["id"]])) for image in coco.dataset["images"]]
    assert counts == [len(answer["people"]) for answer in whole] == [1, 4]
    broken = [*files, ("image", ("broken.jpg", b"\xff\xd8\xff"))]
    refused = httpx.post(f"{service.url}/v1/pose?format=csv", files=broken, timeout=60)
    assert refused.status_code == 422
    assert refused.json()["detail"].startswith("picture 3: ")


@pytest.mark.parametrize("name", ["coco", "openpose", "csv", "mot", "trc"])
def test_a_video_in_a_format_has_the_numbers_of_its_events(
    service: ServiceProcess, pose_events: list[Json], name: str
) -> None:
    form = FORMATS[name]
    asked = ask(service, "/v1/actions", format=name, layout="pa16")
    assert asked.status_code == 200, asked.text
    assert asked.headers["content-type"].partition(";")[0] == form.media_type
    layout = ask(service, "/v1/pose").json()["layout"]
    poses = [Poses.of_frame(event, 640, 480, "jumping_jacks.mp4") for event in pose_events]
    assert len(poses) == 40
    assert asked.text == "".join(form.chunks(poses, layout))


def test_tracks_of_a_video_by_accept(service: ServiceProcess, pose_events: list[Json]) -> None:
    asked = ask(service, "/v1/actions", FORMATS["mot"].media_type, people="all")
    rows = np.loadtxt(io.StringIO(asked.text), delimiter=",")
    assert rows[:, 0].tolist() == [event["frame_id"] + 1 for event in pose_events]
    assert rows[:, 2:6] == pytest.approx(np.array([event["people"][0]["box"] for event in pose_events]), abs=0.6)


def test_clips_as_frames_have_formats_too(service: ServiceProcess, person_jpeg: bytes) -> None:
    files = [("frames", (f"{number}.jpg", person_jpeg)) for number in range(3)]
    asked = httpx.post(f"{service.url}/v1/actions", files=files, data={"fps": "10", "format": "csv"}, timeout=60)
    rows = list(csv.DictReader(io.StringIO(asked.text, newline="")))
    assert {row["frame"] for row in rows} == {"0", "1", "2"}
    assert {row["file"] for row in rows} == {""}


@pytest.mark.parametrize(
    ("path", "accept", "options", "status", "detail"),
    [
        ("/v1/pose", "*/*", {"format": "bvh"}, 422, "format must be 'json', 'coco', 'openpose', 'csv', 'mot' or 'trc'"),
        ("/v1/pose", "*/*", {"format": "mot"}, 422, "mot is of tracks, and people in pictures have no ids"),
        ("/v1/pose", "image/jpeg", {"format": "csv"}, 422, "Accept asks for image/jpeg and format for csv"),
        ("/v1/pose", "text/csv", {"format": "json"}, 422, "Accept asks for text/csv and format for json"),
        ("/v1/pose", "text/html", {}, 406, "text/csv"),
        ("/v1/pose", "*/*", {"format": "csv", "person_id": 1}, 422, "person_id is of trc"),
        ("/v1/pose", "*/*", {"person_id": 1}, 422, "person_id is of trc"),
        ("/v1/pose", "*/*", {"format": "trc", "person_id": 9}, 422, "there is no person with person_id 9"),
        ("/v1/actions", "application/x-ndjson", {"format": "csv"}, 422, "Accept asks for application/x-ndjson"),
        ("/v1/actions", "*/*", {"format": "trc", "person_id": 9}, 422, "there is no person with person_id 9"),
        ("/v1/actions", "image/png", {}, 406, "application/x-ndjson"),
    ],
)
def test_what_cannot_be_written_is_an_error(
    service: ServiceProcess, path: str, accept: str, options: Json, status: int, detail: str
) -> None:
    refused = ask(service, path, accept, **options)
    assert refused.status_code == status, refused.text
    assert detail in refused.json()["detail"]


@pytest.mark.parametrize("accept", ["application/json", "application/json, text/plain, */*", "*/*"])
def test_the_option_wins_over_json(service: ServiceProcess, accept: str) -> None:
    assert ask(service, "/v1/pose", accept, format="csv").headers["content-type"].startswith("text/csv")
    assert ask(service, "/v1/pose", accept, format="json").headers["content-type"] == "application/json"


def test_openapi_names_the_formats(service: ServiceProcess) -> None:
    paths = httpx.get(f"{service.url}/openapi.json").json()["paths"]
    for path in ("/v1/pose", "/v1/actions"):
        operation = paths[path]["post"]
        assert {form.media_type for form in FORMATS.values()} < set(operation["responses"]["200"]["content"])
        (option,) = (parameter for parameter in operation["parameters"] if parameter["name"] == "format")
        assert {"json", *FORMATS} <= set(option["schema"]["anyOf"][0]["enum"])
    assert set(Name.__args__) == {"json", *FORMATS}
