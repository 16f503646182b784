"""The window of `deephar live --show`, on a virtual display; it is skipped where there is no Xvfb or no Tk."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from deephar.cli.exits import Failure
from deephar.cli.window import Window

pytest.importorskip("tkinter", reason="this Python has no Tk")
SCREEN = (800, 600)

BEGIN = """
import tkinter
import numpy as np
from deephar.cli.window import Window

window = Window("test")
root = tkinter._get_default_root()
(label,) = root.winfo_children()
"""


@pytest.fixture(scope="module")
def display() -> Iterator[str]:
    if shutil.which("Xvfb") is None:
        pytest.skip("there is no Xvfb")
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", f"{SCREEN[0]}x{SCREEN[1]}x24", "-nolisten", "tcp"],
        pass_fds=(writing,),
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as number:
        yield f":{number.readline().strip()}"
    server.terminate()
    server.wait(timeout=10)


def run(display: str, script: str) -> None:
    """Runs a script in a process of its own: Xlib ends the process where its display goes."""
    command = [sys.executable, "-c", BEGIN + script]
    done = subprocess.run(command, env=os.environ | {"DISPLAY": display}, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_it_shows_a_picture_and_closes_by_a_key(display: str) -> None:
    run(
        display,
        """
picture = np.full((60, 80, 3), (200, 100, 50), np.uint8)
window.show(picture)
assert (label.winfo_width(), label.winfo_height()) == (80, 60)
assert root.tk.call(label.cget("image"), "get", 10, 10) in ((200, 100, 50), "200 100 50")
root.focus_force()
root.update()
root.event_generate("<Key-q>")
assert not window.is_open
window.show(picture)  # nobody looks: nothing happens
""",
    )


def test_a_picture_larger_than_the_screen_is_made_smaller(display: str) -> None:
    run(
        display,
        """
window.show(np.zeros((1200, 1000, 3), np.uint8))
assert (label.winfo_width(), label.winfo_height()) == (450, 540)
""",
    )


def test_without_a_display_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(Failure, match="needs a display"):
        Window("test")
