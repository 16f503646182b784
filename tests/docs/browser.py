"""Programs of the documentation that are for browsers, in a real Chromium."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from service.testing.running import ServiceProcess

ARGUMENTS = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
PATIENCE_MS = 15_000


def run_in_browser(program: str, service: ServiceProcess, camera_film: Path) -> str:
    """Runs a program in a page of the service's own origin; returns what it logs first."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("there is no Chromium (Debian: apt-get install chromium)")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(
            executable_path=chromium, args=[*ARGUMENTS, f"--use-file-for-fake-video-capture={camera_film}"]
        )
        page = browser.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{service.url}/healthz")
        with page.expect_console_message(lambda message: message.type == "log", timeout=PATIENCE_MS) as told:
            page.evaluate(f"document.body.append(document.createElement('video')); (async () => {{\n{program}\n}})()")
        text = told.value.text
        browser.close()
    assert not errors
    return text
