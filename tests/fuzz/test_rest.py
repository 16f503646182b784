"""Fuzzing of REST by its own OpenAPI, against the real service: what it allows, and what it does not."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable

import pytest
import requests
import schemathesis
from hypothesis import given, seed
from hypothesis import strategies as st
from schemathesis.checks import load_all_checks
from schemathesis.generation.modes import GenerationMode
from schemathesis.specs.openapi import checks

from service.testing.running import ServiceProcess
from tests.fuzz import media
from tests.fuzz.amount import SEED, examples, inputs
from tests.fuzz.growth import Growth

_CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
_SERVER_ERRORS = (503, 504)


def test_every_answer_is_as_openapi_says(service: ServiceProcess) -> None:
    for kind in ("image/jpeg", "image/png", "image/webp", "image/bmp", "image/heic", "image/heif", "image/avif"):
        schemathesis.openapi.media_type(kind, media.pictures())
    for kind in ("video/mp4", "video/webm", "video/quicktime"):
        schemathesis.openapi.media_type(kind, media.videos())
    files = media.pictures() | media.videos()
    schemathesis.openapi.format("binary", files)
    schemathesis.openapi.format("byte", files.map(lambda data: base64.b64encode(data).decode()))
    schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
    operations = [result.ok() for result in schema.get_all_operations()]
    growth = Growth(service, inputs("rest"))
    print(SEED, [operation.label for operation in operations])
    with requests.Session() as session:
        for operation in operations:
          for mode in GenerationMode:
            @seed(SEED)
            @examples(20)
            @given(case=operation.as_strategy(mode))
            def ask(case):
                answer = case.call(base_url=service.url, session=session, timeout=60)
                print(operation.label, mode, answer.status_code, answer.request.headers.get("Content-Type"), answer.content[:150])
                case.validate_response(answer, checks=_CHECKS)
            try:
                ask()
            except Exception as e:
                print("FAIL", type(e), str(e)[:1500])
