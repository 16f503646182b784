"""Somebody who uses the page in a browser."""

from __future__ import annotations

import base64
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Locator, Page, Position, expect

from tests.conftest import SAMPLES

PATIENCE_MS = 8_000
_REFUSED = "Failed to load resource: the server responded with a status of "  # what Chromium says of each problem

expect.set_options(timeout=PATIENCE_MS)


class Visitor:
    """A page, with what the browser asked for and complained of.

    Attributes:
        page: Of playwright.
        hosts: Those that were asked, with the port.
        complaints: Errors and warnings of the console, and exceptions; those of the policy of content are among them.
        refusals: HTTP statuses of problems, which Chromium writes into its console too.
    """

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.hosts: set[str] = set()
        self.complaints: list[str] = []
        self.refusals: list[int] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("request", lambda request: self._asked(request.url))
        page.on("websocket", lambda socket: self._asked(socket.url))
        page.on("console", lambda message: self._told(message.type, message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def open(self) -> None:
        """Opens the page, and waits until it knows the service."""
        self.page.goto(self.url)
        expect(self.one("#state")).to_have_text("ready")

    def one(self, selector: str) -> Locator:
        return self.page.locator(selector)

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def sample(self, name: str) -> None:
        self.one(f'[data-sample="{name}"]').click()

    def drawn(self, canvas: str) -> str:
        """Returns what a canvas shows."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        return str(self.one(canvas).evaluate("canvas => canvas.toDataURL()"))

    def ink(self) -> int:
        """Returns how much is drawn over the picture: the sum of all pixels' opacity."""
        self.drawn("#overlay")
        opacity = """canvas => {
          const copy = new OffscreenCanvas(canvas.width, canvas.height);
          const context = copy.getContext("2d", {willReadFrequently: true});
          context.drawImage(canvas, 0, 0);
          const {data} = context.getImageData(0, 0, copy.width, copy.height);
          return data.reduce((sum, value, at) => at % 4 == 3 ? sum + value : sum, 0);
        }"""
        return int(self.one("#overlay").evaluate(opacity))

    def give(self, event: str, file: Path, media_type: str) -> None:
        """Drops or pastes a file."""
        carrier = self.page.evaluate_handle(
            """([text, name, type]) => {
              const carrier = new DataTransfer();
              carrier.items.add(new File([Uint8Array.from(atob(text), c => c.charCodeAt(0))], name, {type}));
              return carrier;
            }""",
            [base64.b64encode(file.read_bytes()).decode(), file.name, media_type],
        )
        if event == "drop":
            self.page.dispatch_event("body", "drop", {"dataTransfer": carrier})
        else:
            self.page.evaluate(
                "carrier => document.dispatchEvent(new ClipboardEvent('paste', {clipboardData: carrier}))", carrier
            )

    def place(self, x: float, y: float) -> Position:
        """Returns where a place of the picture is on the overlay."""
        scale = float(self.one("#overlay").evaluate("canvas => canvas.clientWidth")) / 640
        return {"x": x * scale, "y": y * scale}

    def _asked(self, url: str) -> None:
        if not url.startswith(("blob:", "data:")):
            self.hosts.add(urlsplit(url).netloc)

    def _told(self, kind: str, text: str) -> None:
        if text.startswith(_REFUSED):
            self.refusals.append(int(text.removeprefix(_REFUSED)[:3]))
        elif kind in ("error", "warning"):
            self.complaints.append(text)


@contextmanager
def visiting(place: Browser | BrowserContext, url: str, **context: Any) -> Iterator[Visitor]:
    """Opens a tab, of a browser in a window of its own; afterwards no other host was asked, nothing complained of."""
    page = place.new_page(**context)
    try:
        visitor = Visitor(page, url)
        yield visitor
    finally:
        page.close()  # and its own window
    assert visitor.hosts == {urlsplit(url).netloc}
    assert visitor.complaints == []


def printed(visitor: Visitor) -> list[str]:
    """The lines that the shown program prints."""
    program = visitor.one("#snippet").inner_text()
    run = subprocess.run([sys.executable, "-c", program], cwd=SAMPLES, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout.splitlines()
