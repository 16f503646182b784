"""Ctrl-C and SIGTERM end a training after the step that it is in, with a checkpoint."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)
PASSED_ON_S = 2.0  # torchrun passes on to its processes what the terminal has sent them already


class Stop:
    """Whether the training was asked to stop, and by which signal."""

    signal: int | None = None

    def __init__(self) -> None:
        self._process, self._since = os.getpid(), 0.0

    def ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's
        if os.getpid() != self._process:  # a worker of the data: ends with the training, or when that terminates it
            if number == signal.SIGTERM:
                signal.signal(number, signal.SIG_DFL)
                os.kill(os.getpid(), number)
            return
        if self.signal is None:
            self.signal, self._since = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._since > PASSED_ON_S:
            raise KeyboardInterrupt


@contextmanager
def stop_asked() -> Iterator[Stop]:
    """Tells of signals instead of ending the program at once; a second Ctrl-C does that."""
    stop = Stop()
    before = {number: signal.signal(number, stop.ask) for number in SIGNALS}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
