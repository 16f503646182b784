"""The HTTP application on a fake of the inference server: options, bodies, answers and errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable

import httpx
import pytest

from service.access.access import Access
from service.rest.app import build_app
from tests.conftest import SAMPLES
from tests.unit.parts import Gateway, with_gateway

PERSON = (SAMPLES / "person.jpg").read_bytes()
BOX = [100, 20, 200, 400]


def asked(work: Callable[[httpx.AsyncClient, Gateway], Awaitable[None]], **settings: object) -> None:
    async def run(parts: Gateway) -> None:
        app = build_app(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            await work(client, parts)

    with_gateway(run, **settings)


def test_a_form_a_raw_body_and_json_say_the_same() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        boxes = json.dumps([BOX])
        encoded = base64.b64encode(PERSON).decode()
        answers = [
            await client.post("/v1/pose", content=PERSON, params={"boxes": boxes, "flip": "true"}),
            await client.post("/v1/pose", files={"image": PERSON}, data={"boxes": boxes, "flip": "1"}),
            await client.post("/v1/pose", json={"image": encoded, "boxes": [BOX], "flip": True}),
            await client.post(
                "/v1/pose", json={"image": f"data:image/jpeg;base64,{encoded}", "boxes": boxes, "flip": 1}
            ),
        ]
        assert [answer.status_code for answer in answers] == [200] * 4
        people = [answer.json()["people"] for answer in answers]
        assert all(one == people[0] for one in people)
        assert people[0][0]["box"] == BOX

    asked(work)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("boxes=[[1,2,3,4]]&boxes=[[1,2,3,4]]", "boxes was sent twice"),
        ("boxes={}", "boxes must be a list"),
        ("boxes=", "boxes must be a list"),
        ("boxes=[[1,2,3]]", "boxes must be a list"),
        ("boxes=[[1,2,3,true]]", "boxes must be a list"),
        ("camera={}", "camera must be an object"),
        ("max_people=0", "max_people must be at least 1"),
        ("max_people=x", "max_people must be a whole number"),
        ("flip=perhaps", "flip must be true or false"),
        ("bxes=[]", "there is no option 'bxes'"),
    ],
)
def test_options_that_are_wrong_are_told(query: str, says: str) -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        answer = await client.post(f"/v1/pose?{query}", content=PERSON)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_argument")
        assert says in answer.json()["detail"]
        assert not parts.server.calls

    asked(work)


def test_an_option_in_the_query_and_in_the_body_was_sent_twice() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        form = await client.post("/v1/pose?flip=true", files={"image": PERSON}, data={"flip": "true"})
        encoded = base64.b64encode(PERSON).decode()
        document = await client.post("/v1/pose?flip=true", json={"image": encoded, "flip": True})
        text = f'{{"image": "{encoded}", "flip": true, "flip": false}}'
        twice = await client.post("/v1/pose", content=text, headers={"Content-Type": "application/json"})
        for answer in (form, document, twice):
            assert (answer.status_code, answer.json()["detail"]) == (422, "flip was sent twice; send it once")

    asked(work)


def test_an_empty_field_of_a_form_is_as_if_it_were_not_there() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        empty = {"model": "", "layout": "", "max_people": "", "flip": ""}
        assert (await client.post("/v1/pose", files={"image": PERSON}, data=empty)).status_code == 200

    asked(work)


@pytest.mark.parametrize(
    ("path", "content", "kind", "status", "code"),
    [
        ("/v1/pose", b"", "image/jpeg", 422, "invalid_image"),
        ("/v1/pose", b"GIF89a", "image/gif", 415, "unsupported_media_type"),
        ("/v1/pose", PERSON, "text/plain", 415, "unsupported_media_type"),
        ("/v1/pose", b"{", "application/json", 422, "invalid_argument"),
        ("/v1/pose?model=nobody", PERSON, "image/jpeg", 404, "unknown_model"),
        ("/v1/actions", PERSON, "video/mp4", 415, "unsupported_media_type"),
        ("/v1/actions?hop=99", b"", "video/mp4", 422, "invalid_argument"),
        ("/v1/nothing", b"", "image/jpeg", 404, "not_found"),
    ],
)
def test_errors_are_problems_with_a_code(path: str, content: bytes, kind: str, status: int, code: str) -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        answer = await client.post(path, content=content, headers={"Content-Type": kind})
        assert (answer.status_code, answer.json()["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"

    asked(work)


def test_an_unforeseen_failure_tells_nothing_of_its_inside(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        async def fail(*_: object) -> None:
            raise KeyError("inside")

        monkeypatch.setattr(parts.server, "infer", fail)
        with pytest.raises(KeyError):
            await client.post("/v1/pose", content=PERSON)

    asked(work)
    assert "failed" in caplog.text


def test_a_full_service_says_when_to_try_again() -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        with parts.pipeline.requests.enter():
            answer = await client.post("/v1/pose", content=PERSON)
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert (await client.post("/v1/pose", content=PERSON)).status_code == 200

    asked(work, max_requests=1)


def test_a_picture_with_skeletons() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        for kind, start in (("image/png", b"\x89PNG"), ("image/jpeg", b"\xff\xd8")):
            answer = await client.post("/v1/pose", content=PERSON, headers={"Accept": kind})
            assert answer.content.startswith(start)

    asked(work)


def test_actions_of_a_video_as_one_answer_and_as_lines(clip_mp4: bytes) -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        answer = await client.post("/v1/actions?top_k=1", files={"video": clip_mp4})
        assert answer.status_code == 200
        lines = await client.post("/v1/actions", content=clip_mp4, headers={"Accept": "application/x-ndjson"})
        events = [json.loads(line) for line in lines.text.splitlines()]
        assert events[-1]["event"] == "answer"
        assert {event["event"] for event in events[:-1]} == {"pose", "action", "segment"}
        assert events[-1]["actions"][0] == answer.json()["actions"][0]

    asked(work)


def test_the_documentation_says_the_same_of_an_option_in_all_places() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        paths = (await client.get("/openapi.json")).json()["paths"]
        for path, many in (("/v1/pose", "image"), ("/v1/actions", "frames")):
            call = paths[path]["post"]
            in_query = {
                p["name"]: p.get("schema") or p["content"]["application/json"]["schema"] for p in call["parameters"]
            }
            content = call["requestBody"]["content"]
            for kind in ("multipart/form-data", "application/json"):
                properties = dict(content[kind]["schema"]["properties"])
                files = {
                    name: properties.pop(name)["type"] for name in ("image", "video", "frames") if name in properties
                }
                assert "string" in files.values() or kind == "multipart/form-data"
                assert kind == "application/json" or files[many] == "array"
                assert properties == in_query
                assert content[kind]["schema"]["additionalProperties"] is False
            assert {"400", "404", "408", "413", "415", "422", "429", "431", "500", "503", "504"} <= set(
                call["responses"]
            )
        boxes = next(p for p in paths["/v1/pose"]["post"]["parameters"] if p["name"] == "boxes")
        assert boxes["content"]["application/json"]["schema"]["items"]["maxItems"] == 4

    asked(work)
