"""`WS /v1/stream` on a fake of the inference server."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from service.access.access import Access
from service.rest.app import build_app
from tests.unit.parts import Gateway, with_gateway


def streamed(*received: dict[str, Any]) -> list[dict[str, Any]]:
    """What the application sends for these messages of the server."""
    sent: list[dict[str, Any]] = []

    async def run(parts: Gateway) -> None:
        messages = iter(received)

        async def receive() -> dict[str, Any]:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {"type": "websocket", "path": "/v1/stream", "headers": [], "query_string": b"", "subprotocols": []}
        state = {"left": asyncio.Event()}
        await build_app(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))(
            scope | {"state": state}, receive, send
        )

    with_gateway(run)
    return sent


def test_a_connection_that_ends_before_its_config_is_no_failure(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    sent = streamed({"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": 1006})
    assert [message["type"] for message in sent] == ["websocket.accept"]
    assert "failed" not in caplog.text
