"""Fuzzing of REST against the real service: by its own OpenAPI, what that allows and what not, and beside it."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import requests
import schemathesis
from hypothesis import given, seed
from hypothesis import strategies as st
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from service.rest.problems import MEDIA_TYPE
from service.status import STATUS
from service.testing.running import ServiceProcess
from tests.fuzz import media
from tests.fuzz.amount import SEED, examples, inputs
from tests.fuzz.growth import Growth

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
_TEN_TIMES = 9  # of the parts of inputs that what has a body gets, and the rest of operations
# Options that any text of OpenAPI's kind may stand for, so that most requests would come no further.
_OF_NAMES = ("model", "layout")
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


def test_every_answer_is_as_openapi_says(service: ServiceProcess) -> None:
    for kinds, files in ((_PICTURES, media.pictures()), (_VIDEOS, media.videos())):
        schemathesis.openapi.media_type(kinds[0], files, aliases=kinds[1:])
    files = media.pictures() | media.videos()
    schemathesis.openapi.format("binary", files)
    schemathesis.openapi.format("byte", files.map(lambda data: base64.b64encode(data).decode()))
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    with_bodies = [operation.as_strategy(mode) for operation in operations if operation.body for mode in GenerationMode]
    without = [operation.as_strategy(GenerationMode.POSITIVE) for operation in operations if not operation.body]
    assert len(with_bodies) >= 4
    assert len(without) >= 4
    count = inputs("rest") * 3 // 4
    growth = Growth(service, count)
    with requests.Session() as session:

        @seed(SEED)
        @examples(count)
        @given(st.one_of(*with_bodies, *with_bodies, *without), st.sets(st.sampled_from(_OF_NAMES)))
        def ask(case: Any, left_out: set[str]) -> None:
            for name in left_out:
                case.query.pop(name, None)
            answer = case.call(base_url=service.url, session=session, timeout=_PATIENCE_S)
            _check(answer.status_code, answer.headers.get("content-type", [""])[0], answer.content)
            case.validate_response(answer, checks=_CHECKS)
            growth.count()

        ask()
    growth.check("REST by OpenAPI")


def test_what_openapi_has_not_is_answered_too(service: ServiceProcess) -> None:
    count = inputs("rest") // 4
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


def _check(status: int, content_type: str, body: bytes) -> None:
    """Fails for a status or a problem that the service must not answer."""
    assert b"Traceback" not in body
    if status < 400:
        return
    assert status < 500 or status in (503, 504), body
    assert content_type == MEDIA_TYPE or (status == 503 and b'"not ready"' in body), (content_type, body)
    problem = httpx.Response(status, content=body).json()
    assert problem["code"] in _CODES, problem
    assert problem["status"] == status
    assert problem["detail"]
