"""Makes the documentation's pictures of real results: the animation, and the page in a browser.

    .venv/bin/python docs/pictures/make.py

Starts a service. Wants Chromium.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

import av
import httpx
from PIL import Image
from playwright.sync_api import expect, sync_playwright

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT)]

from service.testing.running import ServiceProcess, running_service  # noqa: E402

HERE = ROOT / "docs" / "pictures"
VIDEO = ROOT / "samples" / "jumping_jacks.mp4"
EVERY, SIZE, QUALITY = 2, (400, 300), 45  # frames of the video, pixels, of WebP


def animation(service: ServiceProcess) -> None:
    """What `Accept: video/mp4` answers, as a WebP that repeats."""
    with VIDEO.open("rb") as file:
        answer = httpx.post(
            f"{service.url}/v1/actions", files={"video": file}, headers={"Accept": "video/mp4"}, timeout=60
        )
    answer.raise_for_status()
    with av.open(io.BytesIO(answer.content)) as film:
        stream = film.streams.video[0]
        assert stream.average_rate is not None
        frames = [frame.to_image().resize(SIZE) for frame in film.decode(stream)]
        duration_ms = round(1000 * EVERY / stream.average_rate)
    first, *others = frames[::EVERY]
    first.save(
        HERE / "jumping_jacks.webp",
        save_all=True,
        append_images=others,
        duration=duration_ms,
        loop=0,
        quality=QUALITY,
        method=6,
    )


def page(service: ServiceProcess) -> None:
    """The page with the sample video in it."""
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1280, "height": 860}, reduced_motion="reduce")
        page.goto(service.url)
        expect(page.locator("#state")).to_have_text("ready")
        page.locator('[data-sample="people.jpg"]').click()
        expect(page.locator("#people")).to_be_visible(timeout=20_000)
        page.wait_for_timeout(1000)
        shot = page.screenshot()
        browser.close()
    Image.open(io.BytesIO(shot)).convert("RGB").quantize(160).save(HERE / "page.png", optimize=True)


def main() -> None:
    with running_service() as service:
        animation(service)
        page(service)


if __name__ == "__main__":
    main()
