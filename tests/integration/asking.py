"""Callers who ask all the time, and what they get while something fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import NamedTuple

import httpx

from service.testing.running import ServiceProcess

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

    def ask(self, service: ServiceProcess, picture: bytes) -> None:
        with httpx.Client(base_url=service.url, timeout=60) as client:
            while not self.stopped.is_set():
                began = time.monotonic()
                answer = client.post("/v1/pose", content=picture)
                code = "" if answer.status_code == 200 else answer.json()["code"]
                self.asked.append(Asked(began, time.monotonic(), answer.status_code, code))
                if answer.status_code != 200:
                    self.stopped.wait(PAUSE_S)


@contextmanager
def asking(service: ServiceProcess, picture: bytes, callers: int = 3) -> Iterator[Asking]:
    """Asks from before the context until its end; afterwards all answers are there."""
    asked = Asking()
    with ThreadPoolExecutor(callers) as pool:
        running = [pool.submit(asked.ask, service, picture) for _ in range(callers)]
        try:
            yield asked
        finally:
            asked.stopped.set()
    for each in running:
        each.result()
