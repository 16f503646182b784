"""The page's files over REST, on a fake of the inference server."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
import pytest

from service.access.access import Access
from service.access.keys import new_key
from service.rest import page
from service.rest.app import build_app
from tests.conftest import ROOT, SAMPLES
from tests.unit.parts import Gateway, with_gateway

LARGEST = 150_000  # bytes of all files of the page; its samples are not among them


def asked(work: Callable[[httpx.AsyncClient], Awaitable[None]], **settings: object) -> None:
    async def run(parts: Gateway) -> None:
        app = build_app(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service") as client:
            await work(client)

    with_gateway(run, **settings)


@pytest.mark.parametrize(
    ("path", "media_type", "source"),
    [
        ("/", "text/html; charset=utf-8", ROOT / "clients/web/index.html"),
        ("/page/page.js", "text/javascript; charset=utf-8", ROOT / "clients/web/page.js"),
        ("/page/style.css", "text/css; charset=utf-8", ROOT / "clients/web/style.css"),
        ("/page/person.jpg", "image/jpeg", SAMPLES / "person.jpg"),
        ("/page/jumping_jacks.mp4", "video/mp4", SAMPLES / "jumping_jacks.mp4"),
    ],
)
def test_a_file_is_answered_once_and_then_by_its_tag(path: str, media_type: str, source: Path) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.get(path)
        assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
        assert answer.content == source.read_bytes()
        assert (answer.headers["cache-control"], answer.headers["x-content-type-options"]) == ("no-cache", "nosniff")
        tag = answer.headers["etag"]
        for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
            again = await client.get(path, headers={"If-None-Match": known})
            assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
        assert (await client.get(path, headers={"If-None-Match": '"other"'})).status_code == 200
        assert (await client.head(path)).headers["etag"] == tag
        assert (await client.post(path)).status_code == 405

    asked(work)


@pytest.mark.parametrize(
    "path",
    ["/page", "/page/", "/page/package.json", "/page/index.html", "/page/..%2F..%2Fpyproject.toml", "/style.css"],
)
def test_nothing_else_is_answered(path: str) -> None:
    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.get(path)
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")

    asked(work)


def test_the_page_is_open_where_keys_are_on_and_is_not_in_the_document(tmp_path: Path) -> None:
    (tmp_path / "keys.toml").write_text(new_key("camera")[1])

    async def work(client: httpx.AsyncClient) -> None:
        for path in page.PATHS:
            assert (await client.get(path)).status_code == 200
        assert (await client.get("/v1/models")).status_code == 401
        paths = (await client.get("/openapi.json")).json()["paths"]
        assert not [path for path in paths if path in page.PATHS]

    asked(work, keys=tmp_path / "keys.toml")


def test_the_page_may_load_its_own_files_only() -> None:
    async def work(client: httpx.AsyncClient) -> None:
        answer = await client.get("/")
        (policy,) = answer.headers.get_list("content-security-policy")
        assert policy.startswith("default-src 'none'; ")
        assert "unsafe" not in policy
        assert "http" not in policy
        assert answer.headers["x-frame-options"] == "DENY"
        # Neither inline code nor inline style, which the policy would stop.
        assert not re.search(r"<script>|<style|\sstyle=|\son\w+=", answer.text)

    asked(work)


def test_every_file_that_the_page_loads_is_served_and_no_other() -> None:
    web = ROOT / "clients" / "web"
    loaded, waiting = set[str](), ["page.js"]
    while waiting:
        name = waiting.pop()
        if name not in loaded:
            loaded.add(name)
            waiting += re.findall(
                r'^(?:import|export|}).* from "\./([\w.-]+)";', (web / name).read_text(), re.MULTILINE
            )
    assert loaded | {"style.css"} == set(page.FILES)
    named = set(re.findall(r'(?:href|src)="page/([\w.-]+)"', (web / page.PAGE).read_text()))
    assert named == {"style.css", "page.js", *page.SAMPLES}


def test_the_page_is_small_and_names_no_other_host() -> None:
    files = {path: file for path, file in page.page_files().items() if path.rpartition("/")[2] not in page.SAMPLES}
    assert sum(len(file.content) for file in files.values()) < LARGEST
    for path, file in files.items():
        hosts = set(re.findall(r"https?://([\w.-]+)", file.content.decode()))
        assert hosts <= {"localhost", "www.w3.org"}, path  # an example, and the name space of SVG


def test_the_image_has_the_page_and_its_samples() -> None:
    kept = (ROOT / ".dockerignore").read_text().split()
    assert {"!clients/web/*.js", "!clients/web/index.html", "!clients/web/style.css"} <= set(kept)
    assert {f"!samples/{name}" for name in page.SAMPLES} <= set(kept)
    copied = re.findall(r"^COPY (\S+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert {"clients/web", "samples"} <= set(copied)
