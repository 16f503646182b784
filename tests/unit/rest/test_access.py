"""Keys and limits of callers before REST and WebSockets, on a fake of the inference server."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from service.access.access import Access
from service.access.keys import new_key
from service.rest import docs
from service.rest.app import build_app
from tests.conftest import SAMPLES
from tests.unit.parts import Gateway, with_gateway

PERSON = (SAMPLES / "person.jpg").read_bytes()


def asked(work: Callable[[httpx.AsyncClient], Awaitable[None]], scheme: str = "http", **settings: object) -> None:
    async def run(parts: Gateway) -> None:
        app = build_app(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=f"{scheme}://service") as client:
            await work(client)

    with_gateway(run, **settings)


def keys(folder: Path, more: str = "") -> tuple[Path, str]:
    key, entry = new_key("camera")
    (folder / "keys.toml").write_text(entry + more)
    return folder / "keys.toml", key


def test_everything_but_health_and_pages_needs_a_key(tmp_path: Path) -> None:
    path, key = keys(tmp_path)

    async def work(client: httpx.AsyncClient) -> None:
        for open_path in ("/", "/page/page.js", "/healthz", "/readyz", "/docs", "/openapi.json"):
            assert (await client.get(open_path)).status_code in (200, 503)
            assert (await client.head(open_path)).status_code in (200, 503)
        for closed in (
            "/v1/models",
            "/v1/models/lite",
            "/v1/pose",
            "/page",
            "/page/",
            "/metrics",
            "/healthz/",
            "/healthz/x",
            "/docs/",
        ):
            answer = await client.get(closed)
            assert (answer.status_code, answer.headers.get("www-authenticate")) == (401, "Bearer")
            assert answer.json()["code"] == "unauthenticated"
            assert (await client.get(closed, headers={"X-API-Key": key})).status_code != 401
        assert (await client.get(f"/v1/models?api_key={key}&key={key}&access_token={key}")).status_code == 401
        assert (await client.options("/v1/pose")).status_code == 401

    asked(work, keys=path)


@pytest.mark.parametrize("end", ["%0A", "%0a", "%0D", "%00", "%1F", "%7F", "%0D%0A"])
def test_control_characters_in_a_path_open_nothing_and_avoid_no_limit(tmp_path: Path, end: str) -> None:
    path, key = keys(tmp_path)

    async def with_keys(client: httpx.AsyncClient) -> None:
        for place in ("/healthz", "/readyz", "/docs", "/openapi.json", "/v1/models", "/v1/pose"):
            assert (await client.get(place + end)).status_code == 401
            assert (await client.get(place + end, headers={"X-API-Key": key})).status_code == 404

    async def without(client: httpx.AsyncClient) -> None:
        assert (await client.get(f"/healthz{end}")).status_code == 404
        assert (await client.post(f"/v1/pose{end}", content=PERSON)).status_code == 404
        assert (await client.get(f"/v1/models/lite{end}")).status_code == 404

    asked(with_keys, keys=path)
    asked(without)


def test_a_refused_body_is_not_waited_for(tmp_path: Path) -> None:
    path, _ = keys(tmp_path)
    taken = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(10):
            taken += 1
            yield b"x" * 1000

    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.post("/v1/pose", content=body(), headers={"Expect": "100-continue"})
        assert answer.headers["connection"] == "close"  # its body is left
        assert (answer.status_code, taken) == (401, 0)

    asked(work, keys=path)


def test_limits_of_a_caller_are_told_with_when_to_come_again(tmp_path: Path) -> None:
    path, key = keys(tmp_path, 'rate = "2/minute"\n')

    async def work(client: httpx.AsyncClient) -> None:
        client.headers["Authorization"] = f"Bearer {key}"
        for _ in range(2):
            assert (await client.post("/v1/pose", content=PERSON)).status_code == 200
        answer = await client.post("/v1/pose", content=PERSON)
        assert (answer.status_code, answer.json()["code"]) == (429, "overloaded")
        assert 50 <= int(answer.headers["retry-after"]) <= 60
        assert (await client.get("/v1/models")).status_code == 200

    asked(work, keys=path)


def test_pages_elsewhere_may_ask_whether_they_may(tmp_path: Path) -> None:
    path, _ = keys(tmp_path)
    origin = "https://page.example"

    async def work(client: httpx.AsyncClient) -> None:
        asks = {
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-api-key",
        }
        answer = await client.options("/v1/pose", headers=asks)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (200, origin)
        answer = await client.post("/v1/pose", headers={"Origin": origin})
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, origin)

    asked(work, keys=path, cors_origins=origin)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_security_headers(scheme: str) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        for path in ("/healthz", "/docs", "/nothing", "/v1/models", "/v1/pose"):
            headers = (await client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"
            kept = {"/docs": "no-cache"}.get(path)
            assert headers.get("cache-control") == ("no-store" if path.startswith("/v1/") else kept)
            assert ("strict-transport-security" in headers) == (scheme == "https")
            assert ("content-security-policy" in headers) == (path == "/docs")
            assert headers.get("x-frame-options") == ("DENY" if path == "/docs" else None)
        answer = await client.post("/v1/pose", content=PERSON, headers={"Accept": "image/jpeg"})
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")

    asked(work, scheme)


def test_the_document_says_how_keys_are_sent(tmp_path: Path) -> None:
    path, _ = keys(tmp_path)
    schemes: list[dict[str, object] | None] = []

    async def work(client: httpx.AsyncClient) -> None:
        document = (await client.get("/openapi.json")).json()
        schemes.append(document["components"].get("securitySchemes"))
        assert document.get("security", []) == [{name: []} for name in schemes[-1] or ()]
        assert "401" in document["paths"]["/v1/pose"]["post"]["responses"]

    asked(work, keys=path)
    asked(work)
    assert [list(one) if isinstance(one, dict) else one for one in schemes] == [["bearer", "key"], None]


def test_docs_loads_files_of_this_service_only_and_may_load_them(tmp_path: Path) -> None:
    path, _ = keys(tmp_path)

    async def work(client: httpx.AsyncClient) -> None:
        page = await client.get("/docs")
        policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == "'none'"
        assert "http" not in page.headers["content-security-policy"]
        for script in re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL):
            digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
            assert f"'sha256-{digest}'" in policy["script-src"]
        loaded = re.findall(r'(?:src|href)="(.*?)"', page.text)
        assert {f"/{file.removeprefix('./')}" for file in loaded} == set(docs.PATHS) - {"/docs"}
        for file in docs.PATHS[1:]:
            answer = await client.get(file)
            assert (answer.status_code, len(answer.content) > 500) == (200, True)
            again = await client.get(file, headers={"If-None-Match": answer.headers["etag"]})
            assert again.status_code == 304

    asked(work, keys=path)
