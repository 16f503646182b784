"""`/v1/limits`, and that each limit which only callers at fault meet is the setting of its name."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator

import httpx
import pytest
from PIL import Image as Pillow
from starlette.types import ASGIApp, Message

from service.access.access import Access
from service.rest.app import build_app
from service.settings import LIMITS
from tests.unit.parts import Gateway, with_gateway
from tests.unit.rest.test_app import asked

FOLLOWING = {"max_body_bytes", "max_video_body_bytes", "max_message_bytes"}
EVERYWHERE = {
    "max_deadline_ms": 3_600_000,
    "max_option_characters": 65_536,
    "max_form_fields": 20,
    "max_json_values": 20_000,
    "max_picture_scans": 100,
    "max_video_samples": 2_000_000,
}


def test_limits_are_those_of_the_settings() -> None:
    changed = {"max_boxes": 5, "max_image_bytes": 1000, "max_video_bytes": 2000, "max_image_pixels": 64, "min_rate": 7}

    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        limits = (await client.get("/v1/limits")).json()
        assert limits.keys() == {*LIMITS, *FOLLOWING, *EVERYWHERE}
        assert {name: limits[name] for name in LIMITS} == {
            name: getattr(parts.pipeline.settings, name) for name in LIMITS
        }
        assert changed.items() <= limits.items()
        assert EVERYWHERE.items() <= limits.items()
        assert limits["max_body_bytes"] == 1400 + 2**20
        assert limits["max_video_body_bytes"] == 2800 + 2**20
        over = await client.post("/v1/pose", content=bytes(limits["max_body_bytes"] + 1))
        assert (over.status_code, f"{limits['max_body_bytes']} bytes" in over.json()["detail"]) == (413, True)
        assert (await client.post("/v1/pose", content=bytes(limits["max_body_bytes"]))).status_code != 200

    asked(work, **changed)


def test_limits_are_described_in_openapi() -> None:
    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        document = (await client.get("/openapi.json")).json()
        answer = document["paths"]["/v1/limits"]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
        limits = document["components"]["schemas"][answer["$ref"].rpartition("/")[2]]
        assert set(limits["required"]) == {*LIMITS, *FOLLOWING, *EVERYWHERE}
        for name, schema in limits["properties"].items():
            assert schema["description"], name
            assert schema["type"] == ("number" if name.endswith(("_s", "_seconds")) else "integer"), name

    asked(work)


@pytest.mark.parametrize(("min_rate", "status"), [(1, 200), (10**9, 408)])
def test_the_rate_of_a_body_is_a_setting(min_rate: int, status: int, person_jpeg: bytes) -> None:
    """Each piece comes in time; together they take longer than the time-out."""

    async def pieces() -> AsyncIterator[bytes]:
        size = len(person_jpeg) // 4 + 1
        for start in range(0, len(person_jpeg), size):
            await asyncio.sleep(0.4)
            yield person_jpeg[start : start + size]

    async def work(client: httpx.AsyncClient, _: Gateway) -> None:
        assert (await client.post("/v1/pose", content=pieces())).status_code == status

    asked(work, min_rate=min_rate, body_timeout_s=1.2)


@pytest.mark.parametrize(("limits", "discarded"), [({"linger_bytes": 0}, 0), ({"linger_bytes": 2**20}, 16)])
def test_how_much_of_an_unwanted_body_is_discarded_is_a_setting(limits: dict[str, int], discarded: int) -> None:
    sent = 0

    async def pieces() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1000:
            sent += 1
            yield bytes(2**16)

    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        assert (await client.post("/v1/pose", content=pieces())).status_code == 413
        assert sent == parts.pipeline.settings.max_body_bytes // 2**16 + 1 + discarded

    asked(work, max_image_bytes=1, **limits)


def test_how_long_a_picture_waits_for_its_turn_is_a_setting() -> None:
    large = io.BytesIO()
    Pillow.new("RGB", (2000, 1500)).save(large, "JPEG")

    async def work(client: httpx.AsyncClient, parts: Gateway) -> None:
        with parts.pipeline.pixels.hold() as held:
            assert held.take_at_once(parts.pipeline.settings.max_pixels_in_work)
            waited = await client.post("/v1/pose", content=large.getvalue())
        assert (waited.status_code, waited.json()["code"]) == (429, "overloaded")
        assert (await client.post("/v1/pose", content=large.getvalue())).status_code == 200

    asked(work, turn_timeout_s=0.05)


async def said_to(app: ASGIApp, text: str) -> str:
    """Returns the first event of a WebSocket on which the text is sent."""
    to_app: list[Message] = [{"type": "websocket.connect"}, {"type": "websocket.receive", "text": text}]
    events: list[str] = []

    async def receive() -> Message:
        return to_app.pop(0) if to_app else {"type": "websocket.disconnect", "code": 1000}

    async def send(message: Message) -> None:
        if message["type"] == "websocket.send":
            events.append(message["text"])

    # `left` is told by our connections, when the peer has gone.
    scope = {"type": "websocket", "path": "/v1/stream", "headers": [], "query_string": b"", "scheme": "ws"}
    await app(scope | {"state": {"left": asyncio.Event()}, "subprotocols": []}, receive, send)
    return events[0]


def test_the_length_of_a_text_message_is_a_setting() -> None:
    async def work(parts: Gateway) -> None:
        app = build_app(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))
        config = '{"type": "config", "model": "%s"}'
        assert "at most 100 bytes" in await said_to(app, config % ("x" * 100))
        assert "at most 100 bytes" in await said_to(app, config % ("ä" * 50))
        assert "unknown_model" in await said_to(app, config % ("x" * 50))

    with_gateway(work, max_text_bytes=100)
