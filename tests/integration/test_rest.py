"""REST against the real service with the real embedded Triton and the committed model."""

from __future__ import annotations

import base64
import io
import json
import socket
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image as Pillow

from service.testing.running import ServiceProcess
from tests.integration.callers import post
from tests.pictures import huge_png
from tests.videos import sound_only

BOX = [225, 70, 190, 345]  # the person in samples/person.jpg


def joints(answer: dict[str, Any]) -> dict[str, tuple[float, float]]:
    return {point["name"]: (point["x"], point["y"]) for point in answer["people"][0]["keypoints"]}


def joints_of(person: dict[str, Any]) -> np.ndarray:
    return np.array([[point["x"], point["y"]] for point in person["keypoints"]])


def test_a_picture_gets_the_joints_of_its_person(service: ServiceProcess, person_jpeg: bytes) -> None:
    response = post(service, "/v1/pose", files={"image": person_jpeg})
    assert response.status_code == 200, response.text
    answer = response.json()
    assert answer["model"] == "lite"
    assert answer["image"] == {"width": 640, "height": 480}
    assert answer["layout"]["name"] == "pa16"
    (person,) = answer["people"]
    assert len(person["keypoints"]) == 16
    assert 0 <= person["score"] <= 1
    found = joints(answer)
    # The drawn person stands upright in the middle: head over pelvis over ankles.
    assert found["head"][1] < found["thorax"][1] < found["pelvis"][1] < found["right_knee"][1] < found["right_ankle"][1]
    assert found["pelvis"] == pytest.approx((320, 262), abs=30)
    assert found["right_shoulder"][0] < found["left_shoulder"][0]  # seen from the front
    assert set(answer["timing_ms"]) == {"decode", "inference", "total"}


def test_the_three_ways_to_send_a_picture_are_one(service: ServiceProcess, person_jpeg: bytes) -> None:
    text = base64.b64encode(person_jpeg).decode()
    boxes = json.dumps([BOX])
    responses = [
        post(service, "/v1/pose", files={"image": person_jpeg}, data={"boxes": boxes}),
        post(service, "/v1/pose", content=person_jpeg, headers={"content-type": "image/jpeg"}, params={"boxes": boxes}),
        post(service, "/v1/pose", content=person_jpeg, params={"boxes": boxes}),
        post(service, "/v1/pose", json={"image": text, "boxes": [BOX]}),
        post(service, "/v1/pose", json={"image": f"data:image/jpeg;base64,{text}", "boxes": [BOX]}),
    ]
    assert [r.status_code for r in responses] == [200] * 5
    people = [r.json()["people"] for r in responses]
    assert all(p == people[0] for p in people)


def test_one_answer_for_each_box_in_their_order(service: ServiceProcess, person_jpeg: bytes) -> None:
    other = [100, 60, 200, 300]
    response = post(service, "/v1/pose", files={"image": person_jpeg}, data={"boxes": json.dumps([other, BOX, other])})
    people = response.json()["people"]
    assert [p["box"] for p in people] == [other, BOX, other]
    assert joints_of(people[0]) == pytest.approx(joints_of(people[2]), abs=0.01)
    assert joints_of(people[0]) != pytest.approx(joints_of(people[1]), abs=0.01)


@pytest.mark.parametrize("media_type", ["image/jpeg", "image/png"])
def test_the_picture_with_the_skeleton(service: ServiceProcess, person_jpeg: bytes, media_type: str) -> None:
    response = post(service, "/v1/pose", files={"image": person_jpeg}, headers={"accept": media_type})
    assert response.headers["content-type"] == media_type
    with Pillow.open(io.BytesIO(response.content)) as drawn, Pillow.open(io.BytesIO(person_jpeg)) as source:
        assert drawn.size == source.size
        difference = np.abs(np.asarray(drawn.convert("RGB"), int) - np.asarray(source.convert("RGB"), int)).max(axis=2)
    assert 500 < (difference > 60).sum() < 30_000  # lines, and only lines


def test_any_picture_will_do(service: ServiceProcess, person_jpeg: bytes) -> None:
    response = post(service, "/v1/pose", files={"image": person_jpeg}, headers={"accept": "image/*"})
    assert response.headers["content-type"] == "image/jpeg"


def test_layouts_are_converted(service: ServiceProcess, person_jpeg: bytes) -> None:
    options = {"boxes": json.dumps([BOX])}
    own = joints(post(service, "/v1/pose", files={"image": person_jpeg}, data=options).json())
    coco = post(service, "/v1/pose", files={"image": person_jpeg}, data=options | {"layout": "coco17"}).json()
    assert coco["layout"]["name"] == "coco17"
    assert len(coco["people"][0]["keypoints"]) == 17
    assert joints(coco)["left_wrist"] == own["left_wrist"]
    nose = coco["people"][0]["keypoints"][0]
    assert nose == {"name": "nose", "x": None, "y": None, "z": None, "score": 0}, "lite has none"


def test_a_picture_without_a_person_is_no_error(service: ServiceProcess) -> None:
    for picture in (
        np.zeros((300, 400, 3)),
        np.full((300, 400, 3), 128),
        np.random.default_rng(0).integers(0, 255, (300, 400, 3)),
    ):
        buffer = io.BytesIO()
        Pillow.fromarray(picture.astype(np.uint8)).save(buffer, "PNG")
        response = post(service, "/v1/pose", content=buffer.getvalue(), headers={"content-type": "image/png"})
        assert response.status_code == 200
        assert all(person["score"] < 0.35 for person in response.json()["people"])


def test_a_person_at_the_edge_has_finite_joints(service: ServiceProcess, person_jpeg: bytes) -> None:
    with Pillow.open(io.BytesIO(person_jpeg)) as source:
        buffer = io.BytesIO()
        source.crop((310, 0, 420, 300)).save(buffer, "JPEG")
    for options in ({}, {"boxes": json.dumps([[-60, 40, 150, 300]])}):
        answer = post(service, "/v1/pose", files={"image": buffer.getvalue()}, data=options).json()
        for person in answer["people"]:
            assert all(np.isfinite([p["x"], p["y"], p["score"]]).all() for p in person["keypoints"])


def test_one_pixel_is_a_picture(service: ServiceProcess) -> None:
    buffer = io.BytesIO()
    Pillow.new("RGB", (1, 1)).save(buffer, "PNG")
    assert post(service, "/v1/pose", files={"image": buffer.getvalue()}).status_code == 200


def test_the_catalogue(service: ServiceProcess) -> None:
    models = httpx.get(f"{service.url}/v1/models").json()["models"]
    lite = next(m for m in models if m["name"] == "lite")
    assert lite["ready"] is True
    assert lite["card"]["clip"]["frames"] == 16
    assert len(lite["card"]["clip"]["labels"]) == 15
    assert httpx.get(f"{service.url}/v1/models/lite").json() == lite


def test_health_and_documentation(service: ServiceProcess) -> None:
    for path in ("/healthz", "/readyz", "/docs"):
        assert httpx.get(f"{service.url}{path}").status_code == 200
    described = httpx.get(f"{service.url}/openapi.json").json()
    body = described["paths"]["/v1/pose"]["post"]["requestBody"]["content"]
    assert {"multipart/form-data", "application/json", "image/jpeg"} <= set(body)


GIF = io.BytesIO()
Pillow.new("P", (8, 8)).save(GIF, "GIF", save_all=True, append_images=[Pillow.new("P", (8, 8), 9)])
HUGE = huge_png(20_000)
BIG = 30 * 2**20


@pytest.mark.parametrize(
    ("path", "request_", "status", "code"),
    [
        ("/v1/pose", {"files": {"image": b""}}, 422, "invalid_image"),
        ("/v1/pose", {"content": b"", "headers": {"content-type": "image/jpeg"}}, 422, "invalid_image"),
        ("/v1/pose", {"files": {"image": ("photo.jpg", b"just a text", "image/jpeg")}}, 422, "invalid_image"),
        ("/v1/pose", {"files": {"image": "TRUNCATED"}}, 422, "invalid_image"),
        ("/v1/pose", {"files": {"image": GIF.getvalue()}}, 415, "unsupported_media_type"),
        ("/v1/pose", {"content": b"a,b", "headers": {"content-type": "text/csv"}}, 415, "unsupported_media_type"),
        ("/v1/pose", {"files": {"image": HUGE}}, 413, "payload_too_large"),
        ("/v1/pose", {"content": bytes(BIG), "headers": {"content-type": "image/jpeg"}}, 413, "payload_too_large"),
        ("/v1/pose", {"files": {"photo": b"x"}}, 422, "invalid_argument"),
        ("/v1/pose", {"json": {"image": "%%%"}}, 422, "invalid_argument"),
        ("/v1/pose", {"json": {"picture": "x"}}, 422, "invalid_argument"),
        ("/v1/pose", {"json": [1]}, 422, "invalid_argument"),
        ("/v1/pose", {"content": b"{", "headers": {"content-type": "application/json"}}, 422, "invalid_argument"),
        ("/v1/pose", {"content": b"x", "headers": {"content-type": "multipart/form-data"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"model": "nobody"}}, 404, "unknown_model"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"layout": "coco99"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"max_poeple": "1"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "params": {"top_k": "1"}}, 422, "invalid_argument"),
        ("/v1/pose", {"json": {"image": "aGVsbG8=", "Boxes": []}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"boxes": "[[900, 0, 10, 10]]"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"boxes": "[[NaN, 0, 10, 10]]"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"boxes": "[[0, 0, 1e999, 10]]"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"boxes": "[1, 2, 3, 4]"}}, 422, "invalid_argument"),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"boxes": "here"}}, 422, "invalid_argument"),
        (
            "/v1/pose",
            {"files": {"image": "PERSON"}, "data": {"boxes": f"{[[0, 0, 9, 9]] * 65}"}},
            422,
            "invalid_argument",
        ),
        ("/v1/pose", {"files": {"image": "PERSON"}, "data": {"boxes": "[" * 100_000}}, 422, "invalid_argument"),
        ("/v1/actions", {"files": {"video": b""}}, 422, "invalid_video"),
        ("/v1/actions", {"files": {"video": b"no video at all"}}, 422, "invalid_video"),
        ("/v1/actions", {"files": {"video": sound_only()}}, 422, "invalid_video"),
        ("/v1/actions", {"files": {"video": "PERSON"}}, 415, "unsupported_media_type"),
        ("/v1/actions", {"files": {"video": "CLIP"}, "data": {"hop": "0"}}, 422, "invalid_argument"),
        ("/v1/actions", {"files": {"video": "CLIP"}, "data": {"hop": "17"}}, 422, "invalid_argument"),
        ("/v1/actions", {"files": {"video": "CLIP"}, "data": {"top_k": "many"}}, 422, "invalid_argument"),
        ("/v1/actions", {"files": {"video": "CLIP"}, "data": {"model": "nobody"}}, 404, "unknown_model"),
        (
            "/v1/actions",
            {"files": {"video": "CLIP"}, "data": {"boxes": "[[0,0,9,9],[0,0,9,9]]"}},
            422,
            "invalid_argument",
        ),
        ("/v1/actions", {"files": {"video": "CLIP"}, "data": {"boxes": "[[9000,0,9,9]]"}}, 422, "invalid_argument"),
    ],
)
def test_bad_input_gets_the_right_problem_and_the_service_goes_on(
    service: ServiceProcess,
    person_jpeg: bytes,
    clip_mp4: bytes,
    path: str,
    request_: dict[str, Any],
    status: int,
    code: str,
) -> None:
    samples = {"PERSON": person_jpeg, "CLIP": clip_mp4, "TRUNCATED": person_jpeg[:20_000]}
    if "files" in request_:
        files = {
            name: samples.get(data, data) if isinstance(data, str) else data for name, data in request_["files"].items()
        }
        request_ = request_ | {"files": files}
    response = post(service, path, **request_)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert body["code"] == code
    assert body["status"] == status
    assert len(body["detail"]) > 20
    assert "Traceback" not in response.text
    assert httpx.get(f"{service.url}/readyz").status_code == 200


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/v1/pose", 405)])
def test_wrong_addresses_are_problems_too(service: ServiceProcess, method: str, path: str, status: int) -> None:
    response = httpx.request(method, f"{service.url}{path}")
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/pose", "/v1/actions"])
def test_a_caller_that_sends_no_more_gets_its_answer(
    service: ServiceProcess, person_jpeg: bytes, clip_mp4: bytes, path: str
) -> None:
    body = person_jpeg if path == "/v1/pose" else clip_mp4
    address = httpx.URL(service.url)
    with socket.create_connection((address.host, address.port or 80), timeout=60) as caller:
        caller.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        caller.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: caller.recv(2**16), b""))
    assert b"HTTP/1.1 200 OK" in answer
    assert b"}" in answer[-3:]


def test_unknown_model_in_the_catalogue(service: ServiceProcess) -> None:
    response = httpx.get(f"{service.url}/v1/models/nobody")
    assert (response.status_code, response.json()["code"]) == (404, "unknown_model")


def test_many_at_once_are_all_served(service: ServiceProcess, person_jpeg: bytes) -> None:
    from concurrent.futures import ThreadPoolExecutor

    def ask(_: int) -> list[dict[str, Any]]:
        answer = post(service, "/v1/pose", files={"image": person_jpeg}, data={"boxes": json.dumps([BOX])})
        people: list[dict[str, Any]] = answer.json()["people"]
        return people

    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, range(48)))
    # Triton batches them together: the numbers move in their last digits only.
    for answer in answers:
        assert joints_of(answer[0]) == pytest.approx(joints_of(answers[0][0]), abs=0.05)
