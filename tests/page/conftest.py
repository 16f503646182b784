"""A real Chromium on the page of a real service; one browser for the folder."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ViewportSize, sync_playwright

from service.access.keys import new_key
from service.testing.running import ServiceProcess, running_service
from tests.page.visitor import Visitor, visiting

DESKTOP: ViewportSize = {"width": 1280, "height": 900}


@pytest.fixture(scope="package")
def browser(camera_film: Path) -> Iterator[Browser]:
    # Of the package, not of the session: while it is there, no other test can run an event loop.
    program = shutil.which("chromium")
    if program is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_film}",
    ]
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser, service: ServiceProcess) -> Iterator[Visitor]:
    """Somebody who has opened the page, whom nothing moves by itself; what the browser complains of fails the test."""
    with visiting(browser, service.url, viewport=DESKTOP, reduced_motion="reduce") as visitor:
        visitor.open()
        yield visitor


@pytest.fixture(scope="package")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[ServiceProcess, str, str]]:
    """A service, a key, and one that may ask for one picture an hour."""
    (key, entry), (seldom, seldom_entry) = new_key("visitor"), new_key("seldom")
    path: Path = tmp_path_factory.mktemp("keys") / "keys.toml"
    path.write_text(f'{entry}{seldom_entry}rate = "1/hour"\n')
    with running_service(keys=str(path)) as service:
        yield service, key, seldom
