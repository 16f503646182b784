from __future__ import annotations

import grpc
import pytest
from pydantic import ValidationError

from service import errors
from service.errors import DeepharError, Overloaded
from service.pipeline.admission import Admission
from service.settings import Settings
from service.status import STATUS


def test_every_error_has_a_status_on_both_transports() -> None:
    kinds = [k for k in vars(errors).values() if isinstance(k, type) and issubclass(k, DeepharError)]
    assert {kind.code for kind in kinds} == set(STATUS)
    assert len(kinds) == len(STATUS)


@pytest.mark.parametrize(
    ("code", "http", "status"),
    [
        ("invalid_image", 422, grpc.StatusCode.INVALID_ARGUMENT),
        ("unsupported_media_type", 415, grpc.StatusCode.INVALID_ARGUMENT),
        ("payload_too_large", 413, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("unknown_model", 404, grpc.StatusCode.NOT_FOUND),
        ("overloaded", 429, grpc.StatusCode.RESOURCE_EXHAUSTED),
        ("unavailable", 503, grpc.StatusCode.UNAVAILABLE),
        ("deadline_exceeded", 504, grpc.StatusCode.DEADLINE_EXCEEDED),
        ("internal", 500, grpc.StatusCode.INTERNAL),
    ],
)
def test_the_published_table(code: str, http: int, status: grpc.StatusCode) -> None:
    assert (STATUS[code].http, STATUS[code].grpc) == (http, status)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPHAR_HTTP_PORT", "9000")
    monkeypatch.setenv("DEEPHAR_TRITON_URL", "triton:8001")
    settings = Settings()
    assert (settings.http_port, settings.grpc_port, settings.triton_url) == (9000, 8081, "triton:8001")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DEEPHAR_HTTP_PORT", "0"),
        ("DEEPHAR_HTTP_PORT", "http"),
        ("DEEPHAR_PRECISION", "int3"),
        ("DEEPHAR_GRPC_PORT", "8080"),
    ],
)
def test_wrong_settings_are_refused(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError):
        Settings()


def test_admission_turns_away_what_is_too_much_and_recovers() -> None:
    admission = Admission(1, "requests")
    with admission.enter(), pytest.raises(Overloaded, match="1 requests"), admission.enter():
        pass
    with admission.enter():
        pass
