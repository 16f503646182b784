"""Threads for work that would hold the event loop up, and the count of requests that are let in."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from service.errors import Overloaded

P = ParamSpec("P")
R = TypeVar("R")


class Workers:
    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="deephar")

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        return await asyncio.get_running_loop().run_in_executor(self._pool, lambda: work(*args, **kwargs))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class Admission:
    """Lets a fixed number in and turns the others away at once, so that memory and waiting stay bounded."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit, self._what, self._inside = limit, what, 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        if self._inside >= self._limit:
            raise Overloaded(f"{self._limit} {self._what} are in work already; try again in a second")
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1
