"""Bodies as people and their tools make them, and what is said of those that cannot be read."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from urllib.parse import quote

import httpx
import pytest

from tests.unit.parts import Gateway
from tests.unit.rest.test_app import BOX, PERSON, asked

BOXES = {"boxes": json.dumps([BOX])}
FORM = (
    b"--XyZ\r\nContent-Disposition: form-data; name=\"image\"; filename*=UTF-8''p%C3%A9rson.jpg\r\n"
    b"Content-Type: image/jpeg\r\n\r\n" + PERSON + b"\r\n--XyZ--\r\n"
)
ENCODED = base64.b64encode(PERSON).decode()
FORM_TYPE = "multipart/form-data; boundary=XyZ"


def answers(content: bytes, headers: dict[str, str], status: int = 200, says: str = "") -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        plain = await client.post("/v1/pose", content=PERSON, params=BOXES)
        answer = await client.post("/v1/pose", content=content, headers=headers, params=BOXES)
        assert answer.status_code == status, answer.text
        if status == 200:
            assert answer.json()["people"] == plain.json()["people"]
        else:
            assert says in answer.json()["detail"]

    asked(work)


@pytest.mark.parametrize(
    "text",
    [
        base64.encodebytes(PERSON).decode(),
        base64.encodebytes(PERSON).decode().replace("\n", "\r\n"),
        base64.urlsafe_b64encode(PERSON).decode(),
        ENCODED.rstrip("="),
        base64.urlsafe_b64encode(PERSON).decode().rstrip("="),
        "DATA:image/jpeg;BASE64," + ENCODED,
        " data:image/jpeg;base64," + quote(ENCODED),
        "  " + base64.encodebytes(PERSON).decode().replace("\n", "\n  "),
        "data:;base64,\n" + base64.encodebytes(PERSON).decode(),
    ],
    ids=[
        "lines",
        "crlf",
        "urlsafe",
        "no_padding",
        "urlsafe_no_padding",
        "upper_case_url",
        "percent_encoded_url",
        "indented",
        "url_in_lines",
    ],
)
def test_base64_as_people_make_it(text: str) -> None:
    answers(json.dumps({"image": text}).encode(), {"Content-Type": "application/json"})


@pytest.mark.parametrize(
    "text",
    ["%%%", "AAAAA", "ÄÖÜ=", ENCODED.replace("+", " "), "!" + ENCODED, "data:," + "%41" * 9000, "aa\n" * 9000],
)
def test_what_is_not_base64(text: str) -> None:
    content = json.dumps({"image": text}).encode()
    answers(content, {"Content-Type": "application/json"}, 422, "base64")


def raw_deflate(data: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize(
    ("encoding", "content"),
    [
        ("gzip", gzip.compress(PERSON)),
        ("x-gzip", gzip.compress(PERSON)),
        ("GZIP", gzip.compress(PERSON[:1000]) + gzip.compress(PERSON[1000:])),
        ("deflate", zlib.compress(PERSON)),
        ("deflate", raw_deflate(PERSON)),
        ("identity", PERSON),
    ],
)
def test_bodies_with_an_encoding(encoding: str, content: bytes) -> None:
    answers(content, {"Content-Type": "image/jpeg", "Content-Encoding": encoding})


def test_a_form_with_an_encoding() -> None:
    answers(gzip.compress(FORM), {"Content-Type": FORM_TYPE, "Content-Encoding": "gzip"})


@pytest.mark.parametrize(
    ("encoding", "content", "status", "says"),
    [
        ("br", PERSON, 415, "'br'"),
        ("gzip, gzip", gzip.compress(gzip.compress(PERSON)), 415, "gzip"),
        ("gzip", PERSON, 422, "gzip"),
        ("gzip", gzip.compress(PERSON)[:-2000], 422, "send it whole"),
        ("deflate", b"", 422, "send it whole"),
        ("gzip", gzip.compress(bytes(40 * 2**20)), 413, "inflated"),
    ],
)
def test_bodies_with_an_encoding_that_cannot_be_read(encoding: str, content: bytes, status: int, says: str) -> None:
    answers(content, {"Content-Type": "image/jpeg", "Content-Encoding": encoding}, status, says)


@pytest.mark.parametrize(
    "content",
    [
        FORM,
        FORM.replace(b"filename*=UTF-8''p%C3%A9rson.jpg", b"filename*=odd"),
        FORM.replace(b"; filename*=UTF-8''p%C3%A9rson.jpg", b""),
        b"\r\n" + FORM,
        FORM + b"an epilogue",
    ],
    ids=["filename_star", "odd_filename_star", "no_filename", "empty_line_before", "epilogue"],
)
def test_forms_as_tools_write_them(content: bytes) -> None:
    answers(content, {"Content-Type": FORM_TYPE})


@pytest.mark.parametrize(
    ("content", "media_type", "says"),
    [
        (FORM, "multipart/form-data", "no boundary"),
        (FORM, "multipart/form-data; boundary=other", "boundary 'other'"),
        (PERSON, FORM_TYPE, "boundary 'XyZ'"),
        (b"", FORM_TYPE, "boundary 'XyZ'"),
        (FORM[:-9], FORM_TYPE, "closing boundary"),
        (FORM[: len(FORM) // 2], FORM_TYPE, "closing boundary"),
        (FORM.replace(b'"image"', b'"photo"'), FORM_TYPE, "no file named 'image'"),
        (FORM, FORM_TYPE + "; charset=" + "x" * 3000, "charset"),
    ],
)
def test_forms_that_cannot_be_read_are_told_why(content: bytes, media_type: str, says: str) -> None:
    answers(content, {"Content-Type": media_type}, 422, says)


@pytest.mark.parametrize("media_type", ["", "image/jpg", "image/pjpeg", "video/mp4", "application/x-whatever"])
def test_a_file_is_told_by_its_content(media_type: str) -> None:
    answers(PERSON, {"Content-Type": media_type})


@pytest.mark.parametrize("name", ["model", "layout", "boxes", "flip", "camera", "max_people", "min_score", "bxes"])
def test_an_option_is_never_echoed_at_length(name: str) -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        answer = await client.post("/v1/pose", files={"image": PERSON}, data={name: "x" * 60_000})
        assert answer.status_code in (404, 422)
        assert len(answer.text) < 600

    asked(work)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "application/json"),
        ("*/*", "application/json"),
        ("*", "application/json"),
        ("image/jpeg;q=0, application/json", "application/json"),
        ("image/png;q=0.2, image/jpeg;q=0.7, application/json;q=0.1", "image/jpeg"),
        ("image/*", "image/jpeg"),
        ("image/*, image/jpeg;q=0", "image/png"),
        ("text/html, */*;q=0.1", "application/json"),
        ("IMAGE/PNG", "image/png"),
        ("image/png;q=rubbish", "image/png"),
        ("text/html, image/png;q=0.5", "image/png"),
        ("text/html", ""),
        ("application/json;q=0", ""),
        ("*/*;q=0", ""),
    ],
)
def test_the_type_of_the_answer(accept: str, kind: str) -> None:
    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        answer = await client.post("/v1/pose", content=PERSON, headers={"Accept": accept})
        if kind:
            assert (answer.status_code, answer.headers["content-type"]) == (200, kind)
        else:
            assert (answer.status_code, answer.json()["code"]) == (406, "not_acceptable")
            assert not parts.server.calls

    asked(work)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/v1/models", "/v1/models/lite", "/openapi.json", "/docs"])
def test_head_where_there_is_get(path: str) -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        assert (await client.head(path)).status_code == (await client.get(path)).status_code != 405

    asked(work)


def test_pages_of_other_origins_are_let_in_only_if_they_are_named() -> None:
    preflight = {"Origin": "https://page.example", "Access-Control-Request-Method": "POST"}

    async def closed(client: httpx.AsyncClient, _: Gateway) -> None:
        assert "access-control-allow-origin" not in (await client.options("/v1/pose", headers=preflight)).headers

    async def open_(client: httpx.AsyncClient, _: Gateway) -> None:
        asked_first = await client.options("/v1/pose", headers=preflight)
        answer = await client.post("/v1/pose", content=PERSON, headers={"Origin": "https://page.example"})
        error = await client.post("/v1/pose", content=b"", headers={"Origin": "https://page.example"})
        for response, status in ((asked_first, 200), (answer, 200), (error, 422)):
            assert response.status_code == status
            assert response.headers["access-control-allow-origin"] == "https://page.example"
        stranger = await client.post("/v1/pose", content=PERSON, headers={"Origin": "https://other.example"})
        assert "access-control-allow-origin" not in stranger.headers

    asked(closed)
    asked(open_, cors_origins="https://page.example, https://second.example")
