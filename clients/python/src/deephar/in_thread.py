"""Work that may block for good, such as reading a camera, in a thread that does not keep the program from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> Future[T]:
    """Begins work in a thread of its own, and returns its future."""
    future: Future[T] = Future()
    future.set_running_or_notify_cancel()  # who waits may leave; the work goes on

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, name="deephar-frames", daemon=True).start()
    return future
