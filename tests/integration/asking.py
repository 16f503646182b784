"""Callers who ask all the time, and what they get while something fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

import httpx

from service.testing.running import ServiceProcess
from tests.integration.waiting import wait_for

PAUSE_S = 0.1  # after an error


class Asked(NamedTuple):
    """One request: when it was asked and answered, in seconds of `time.monotonic`, and with what."""

    began: float
    ended: float
    status: int
    code: str


class Asking:
    """Requests of some callers at a time. One that brought no answer of HTTP fails the test."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.stopped = threading.Event()

    def answers(self) -> set[tuple[int, str]]:
        return {(each.status, each.code) for each in self.asked}

    def longest_s(self) -> float:
        return max(each.ended - each.began for each in self.asked)

    def count(self, status: int) -> int:
        return sum(each.status == status for each in self.asked)

    def ask(self, service: ServiceProcess, path: str, **request: Any) -> None:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            while not self.stopped.is_set():
                began = time.monotonic()
                answer = client.post(path, **request)
                code = "" if answer.status_code == 200 else answer.json()["code"]
                self.asked.append(Asked(began, time.monotonic(), answer.status_code, code))
                if answer.status_code != 200:
                    self.stopped.wait(PAUSE_S)


@contextmanager
def asking(
    service: ServiceProcess,
    picture: bytes,
    callers: int = 3,
    clip: bytes | None = None,
    least: int = 0,
    **request: Any,
) -> Iterator[Asking]:
    """Asks from before the context until its end; afterwards all answers are there.

    Args:
        service: Who is asked.
        picture: What the callers send.
        callers: Their number.
        clip: What one more sends, for its action.
        least: Answers before the context begins, and so many more before it ends; after an error in it none.
        request: Of each, as httpx takes it.
    """
    asked = Asking()
    with ThreadPoolExecutor(callers + 1) as pool:
        running = [pool.submit(asked.ask, service, "/v1/pose", content=picture, **request) for _ in range(callers)]
        if clip is not None:
            running.append(pool.submit(asked.ask, service, "/v1/actions", files={"video": clip}, **request))
        try:
            assert not least or wait_for(lambda: len(asked.asked) > least, 30)
            yield asked
            before = len(asked.asked)
            assert not least or wait_for(lambda: len(asked.asked) > before + least, 30)
        finally:
            asked.stopped.set()
    for each in running:
        each.result()
