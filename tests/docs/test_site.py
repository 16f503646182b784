"""The documentation as a site: built without a warning, and read in a browser that reaches no other host."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright

from tests.conftest import ROOT
from tests.http_serving import serving_http

MKDOCS = ROOT / ".venv-docs" / "bin" / "mkdocs"
LOADED = re.compile(r"<(?:script|img|iframe|source|video)\b[^>]*\bsrc=\"?([^\"\s>]+)|<link\b[^>]*\bhref=\"?([^\"\s>]+)")
PATIENCE_MS = 15_000


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not MKDOCS.exists():
        pytest.skip("the site's environment is not set up (make docs)")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [MKDOCS, "build", "--quiet", "--strict", "--site-dir", folder],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={"NO_MKDOCS_2_WARNING": "1", "PATH": "/usr/bin:/bin"},
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with serving_http(partial(Quiet, directory=site)) as url:
        yield url


def test_nothing_is_loaded_from_elsewhere_and_all_is_there(site: Path) -> None:
    for page in site.rglob("*.html"):
        for found in LOADED.finditer(page.read_text()):
            link = (found[1] or found[2]).partition("#")[0].partition("?")[0]
            assert not re.match(r"(?:https?:)?//", link), f"{page.name} loads {link}"
            base = site if link.startswith("/") else page.parent
            assert link.startswith("data:") or (base / link.lstrip("/")).exists(), f"{page}: there is no {link}"


def test_links_lead_somewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        for link in re.findall(r"<a\b[^>]*\bhref=\"([^\"#?]+)", page.read_text()):
            if not re.match(r"[a-z]+:|/", link):
                assert (page.parent / link).exists(), f"{page.relative_to(site)}: there is no {link}"


def test_a_reader_finds_a_page(address: str) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(address)
        expect(page.locator("h1").first).to_contain_text("deephar-serve")
        assert page.locator("img[src$='jumping_jacks.webp']").evaluate("image => image.naturalWidth") == 400
        page.locator("input[name=query]").click()
        page.keyboard.type("reliability diagram min_score")
        result = page.locator("a.md-search-result__link[href*='scores.html']").first
        expect(result).to_be_visible(timeout=PATIENCE_MS)
        result.click()
        expect(page.locator("h1").first).to_contain_text("Scores")
        browser.close()
    assert {url.split("/")[2] for url in asked if not url.startswith(("data:", "blob:"))} == {address.split("/")[2]}
