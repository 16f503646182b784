"""Ctrl-C and SIGTERM end a training after the step that it is in, with a checkpoint."""

from __future__ import annotations

import os
import signal
import threading
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
        self._since = 0.0

    def ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - a signal handler's
        if self.signal is None:
            self.signal, self._since = number, time.monotonic()
        elif number == signal.SIGINT and time.monotonic() - self._since > PASSED_ON_S:
            raise KeyboardInterrupt


def outlast_signals(worker: int) -> None:  # noqa: ARG001 - a worker_init_fn of PyTorch's DataLoader
    """Makes a process that reads data end with the training only, which needs it for the step that it is in.

    Terminals send Ctrl-C, and torchrun and systemd SIGTERM, to all processes at once.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(training: int) -> None:
    """Ends this process when the training says so, and at no other SIGTERM."""
    while signal.sigwaitinfo([signal.SIGTERM]).si_pid != training:
        pass
    os._exit(0)


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
