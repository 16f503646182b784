"""Keeps a program running for as long as somebody holds the other end of its standard input.

    python guard.py PROGRAM ARGUMENT...

Who starts a service for a while may be killed at any moment, and then cannot end it: this process does, since its input
ends with whoever held it. A program that ends by itself is started again, unless it has just been started.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence

_POLL_S = 0.2
_PATIENCE_S = 15.0  # for the program to end
_SHORT_S = 5.0  # a program that ends sooner would not run the next time either
_SET_PARENT_DEATH_SIGNAL = 1  # of prctl


def main(command: Sequence[str]) -> None:
    """Runs the program until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all of a terminal, and this ends last
    process, began_s = _start(command), time.monotonic()
    try:
        while not _input_ended():
            if process.poll() is not None:
                if time.monotonic() < began_s + _SHORT_S:
                    sys.exit(f"{command[0]} ended with {process.returncode}")
                process, began_s = _start(command), time.monotonic()
    finally:
        _end(process)


def _input_ended() -> bool:
    ready, _, _ = select.select([0], [], [], _POLL_S)
    return bool(ready) and not os.read(0, 1024)


def _start(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent)  # noqa: PLW1509, S603


def _end_with_parent() -> None:
    """Has the kernel end the program should this process be killed. It has a single thread, so that is safe."""
    with contextlib.suppress(OSError, AttributeError):  # not on Linux
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGTERM)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    main(sys.argv[1:])
