"""Fuzzing of REST against the real service: by its own OpenAPI, what that allows and what not, and beside it."""

from __future__ import annotations

import base64
import socket
from typing import Any

import httpx
import requests
import schemathesis
from deephar.formats import FORMATS
from hypothesis import given, seed
from hypothesis import strategies as st
from schemathesis.core.result import Ok
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from service.rest.problems import MEDIA_TYPE
from service.status import STATUS
from service.testing.running import ServiceProcess
from tests.fuzz import media
from tests.fuzz.amount import SEED, examples, inputs
from tests.fuzz.growth import Growth
from tests.fuzz.wire import answer_to

_PICTURES = ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/heic", "image/heif", "image/avif")
_VIDEOS = ("video/mp4", "video/webm", "video/quicktime")
_CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_CODES = {*STATUS, "not_found", "method_not_allowed"} - {"internal"}
_PATIENCE_S = 60
# Options that any text of OpenAPI's kind may stand for, so that most requests would come no further.
_OF_NAMES = ("model", "layout")
_FORMATS = tuple(form.media_type for form in FORMATS.values())
_ACCEPTED = ("*/*", "*/*", "application/json", "image/*", "application/x-ndjson", "video/mp4", *_FORMATS, "text/html")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "QUERY")
_PATHS = ("/v1/pose", "/v1/actions", "/v1/stream", "/v1/models", "/v1/models/lite", "/healthz", "/readyz", "/docs", "/")
_HEADERS = (
    "accept",
    "content-type",
    "content-encoding",
    "expect",
    "origin",
    "range",
    "x-request-timeout",
    "connection",
)
_VALUES = (
    "image/png",
    "multipart/form-data; boundary=b",
    "gzip",
    "deflate, gzip",
    "100-continue",
    "*/*;q=0",
    "",
    "0s",
    "1",
)

_LINES = (
    b"Content-Type: image/png",
    b"Content-Type: multipart/form-data; boundary=b",
    b"Content-Length: 10",
    b"Content-Length: 99999999999999999999",
    b"Content-Length: -1",
    b"Transfer-Encoding: chunked",
    b"Connection: close",
    b"Expect: 100-continue",
    b"Upgrade: websocket",
    b"Content-Encoding: gzip",
)
_CHUNKS = (
    b"5\r\nhello\r\n0\r\n\r\n",
    b"5\r\nhello\r\n0\r\nA: b\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"5;a=b\r\nhel",
    b"-1\r\n",
)


def test_every_answer_is_as_openapi_says(service: ServiceProcess) -> None:
    for kinds, files in ((_PICTURES, media.pictures()), (_VIDEOS, media.videos())):
        schemathesis.openapi.media_type(kinds[0], files, aliases=kinds[1:])
    files = media.pictures() | media.videos()
    schemathesis.openapi.format("binary", files)
    schemathesis.openapi.format("byte", files.map(lambda data: base64.b64encode(data).decode()))
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations() if isinstance(result, Ok)]
    with_bodies = [operation.as_strategy(mode) for operation in operations if operation.body for mode in GenerationMode]
    without = [operation.as_strategy(GenerationMode.POSITIVE) for operation in operations if not operation.body]
    assert len(with_bodies) >= 4
    assert len(without) >= 4
    count = inputs("rest") * 3 // 4
    growth = Growth(service, count)
    with requests.Session() as session:

        @seed(SEED)
        @examples(count)
        @given(
            st.one_of(*with_bodies, *with_bodies, *without),
            st.sets(st.sampled_from(_OF_NAMES)),
            st.sampled_from(_ACCEPTED),
        )
        def ask(case: Any, left_out: set[str], accepted: str) -> None:
            for name in left_out:
                case.query.pop(name, None)
            headers = {"Accept": accepted}
            growth.count()
            try:
                answer = case.call(base_url=service.url, session=session, headers=headers, timeout=_PATIENCE_S)
            except requests.exceptions.ChunkedEncodingError:  # an error after the first part
                assert case.operation.path == "/v1/actions"
                return
            _check(answer.status_code, answer.headers.get("content-type", [""])[0], answer.content)
            case.validate_response(answer, checks=_CHECKS)

        ask()
    growth.check("REST by OpenAPI")


def test_what_openapi_has_not_is_answered_too(service: ServiceProcess) -> None:
    count = inputs("rest") // 8
    growth = Growth(service, count)
    texts = st.text(st.characters(min_codepoint=33, max_codepoint=0x3FF, exclude_categories=["Cc"]), max_size=20)
    paths = (
        st.sampled_from(_PATHS)
        | st.builds("".join, st.tuples(st.sampled_from(_PATHS), texts))
        | texts.map("/{}".format)
    )
    values = st.sampled_from(_VALUES) | st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)
    headers = st.dictionaries(st.sampled_from(_HEADERS), values.map(str.strip), max_size=3)
    bodies = media.pictures() | st.just(b"")
    with httpx.Client(base_url=service.url, timeout=_PATIENCE_S) as client:

        @seed(SEED)
        @examples(count)
        @given(st.sampled_from(_METHODS), paths, headers, bodies)
        def ask(method: str, path: str, headers: dict[str, str], body: bytes) -> None:
            answer = client.request(method, path, headers=headers, content=body)
            if method != "HEAD" and answer.status_code >= 400:
                _check(answer.status_code, answer.headers.get("content-type", ""), answer.content)
            assert answer.status_code < 500 or answer.status_code in (503, 504)
            growth.count()

        ask()
    growth.check("REST beside OpenAPI")


def test_any_bytes_are_answered_or_refused(service: ServiceProcess) -> None:
    count = inputs("rest") // 8
    growth = Growth(service, count)
    odd = st.binary(max_size=30)
    lines = st.sampled_from([f"{method} {path}".encode() for method in _METHODS for path in _PATHS])
    first = st.tuples(lines, st.sampled_from([b" HTTP/1.1", b" HTTP/1.1", b" HTTP/1.0", b" HTTP/2.0", b""])).map(
        b"".join
    )
    header = st.sampled_from(_LINES) | st.tuples(st.sampled_from(_HEADERS), odd).map(
        lambda h: h[0].encode() + b": " + h[1]
    )
    body = media.pictures() | st.sampled_from(_CHUNKS) | odd

    @seed(SEED)
    @examples(count)
    @given(first | odd, st.lists(header, max_size=4), body, st.sampled_from([b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r"]))
    def send(first: bytes, headers: list[bytes], body: bytes, end: bytes) -> None:
        with socket.create_connection(("127.0.0.1", service.http_port), timeout=_PATIENCE_S) as connection:
            answer = answer_to(connection, end.join([first, b"Host: x", *headers, b"", b""]) + body)
        assert not answer.startswith((b"HTTP/1.1 500", b"HTTP/1.1 502")), answer
        growth.count()

    send()
    growth.check("bytes to REST")


def _check(status: int, content_type: str, body: bytes) -> None:
    """Fails for a status or a problem that the service must not answer."""
    assert b"Traceback" not in body
    if status < 400:
        assert b'"code": "internal"' not in body  # of an event after the first, or of one picture among several
        assert b'"code":"internal"' not in body
        return
    assert status < 500 or status in (503, 504), body
    assert content_type == MEDIA_TYPE or (status == 503 and b'"not ready"' in body), (content_type, body)
    problem = httpx.Response(status, content=body).json()
    assert problem["code"] in _CODES, problem
    assert problem["status"] == status
    assert problem["detail"]
