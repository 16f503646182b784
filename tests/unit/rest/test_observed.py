"""Requests that end in unforeseen ways are observed as well."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from service.errors import DeepharError, InvalidVideo, RequestTimeout, Unavailable
from service.rest import problems
from service.rest.gate import Gate
from service.rest.observed import Observed, Routes
from service.rest.streamed import StreamedAnswer
from service.settings import Settings
from service.stopping import Stopping
from service.telemetry.metrics import METRICS

PATHS = ["/fails", "/breaks", "/v1/models/{name}"]


def app() -> Observed:
    application = FastAPI(telemetry={"tracing": False, "metrics": False, "logs": False})
    problems.install(application)

    @application.get("/fails")
    async def fails() -> Response:
        raise RuntimeError("the cause")

    @application.get("/breaks")
    async def breaks() -> Response:
        async def parts() -> AsyncIterator[bytes]:
            yield b"one"
            raise RuntimeError("the cause")

        return StreamingResponse(parts())

    return Observed(application, PATHS)


def count(route: str, code: str) -> float:
    labels = {"transport": "rest", "route": route, "model": "", "code": code}
    return METRICS.registry.get_sample_value("deephar_requests_total", labels) or 0.0


def asked(path: str, **headers: str) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app())
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def test_an_unforeseen_error_has_an_id_and_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    before = count("/fails", "500")
    with caplog.at_level(logging.ERROR):
        answer = asked("/fails?secret", **{"X-Request-ID": "mine"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "mine")
    assert (answer.json()["code"], answer.json()["request_id"]) == ("internal", "mine")
    assert "the cause" not in answer.text
    assert [record.getMessage() for record in caplog.records] == ["GET /fails failed"]
    assert count("/fails", "500") == before + 1


def test_an_answer_that_breaks_off_is_an_error() -> None:
    before = count("/breaks", "500")
    with pytest.raises(RuntimeError, match="the cause"):  # for the server to close the connection
        asked("/breaks")
    assert count("/breaks", "500") == before + 1
    assert METRICS.registry.get_sample_value("deephar_requests_in_flight", {"transport": "rest"}) == 0


@pytest.mark.parametrize(
    ("error", "code"),
    [(InvalidVideo("damaged"), "422"), (Unavailable("lost"), "503"), (RequestTimeout("the reader is slow"), "499")],
)
def test_an_answer_that_is_cut_off_has_the_status_of_the_error(
    error: DeepharError, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose reader is slow was left, as by any other who goes."""

    async def parts() -> AsyncGenerator[bytes, None]:
        yield b"one"
        raise error

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (await StreamedAnswer.begun(parts(), "text/csv"))(scope, receive, send)

    async def ask() -> None:
        gate = Gate(answer, Settings(), Stopping(), {}, lambda _: 1000)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(Observed(gate, ["/cut"])), base_url="http://service"
        ) as client:
            await client.get("/cut")

    before = count("/cut", code)
    with pytest.raises(AssertionError), caplog.at_level(logging.WARNING):  # of httpx: the answer is not whole
        asyncio.run(ask())
    assert count("/cut", code) == before + 1
    assert [record.getMessage() for record in caplog.records] == (
        [] if code == "499" else [f"an answer that had begun was cut off: {error}"]
    )


@pytest.mark.parametrize(
    ("path", "route"),
    [
        ("/fails", "/fails"),
        ("/fails/", "other"),
        ("/v1/models/lite", "/v1/models/{name}"),
        ("/v1/models/a/b", "other"),
        ("/v1/models/", "other"),
        ("/v1/models/{name}", "/v1/models/{name}"),
        ("/\n", "other"),
    ],
)
def test_a_route_is_never_what_a_caller_made_up(path: str, route: str) -> None:
    assert Routes(PATHS).of(path) == route
