"""Threads for work that would block the event loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import cv2

from service.errors import Unavailable

P = ParamSpec("P")
R = TypeVar("R")


async def settled(future: asyncio.Future[Any]) -> asyncio.CancelledError | None:
    """Waits until a future is done, and ignores its outcome. Returns the cancellation that came meanwhile, if any."""
    cancellation = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:
            cancellation = error
    if not future.cancelled():
        future.exception()  # otherwise asyncio logs that nobody asked for it
    return cancellation


class Workers:
    """A pool of threads for short jobs. A job must not wait for another one: that could block the pool for good."""

    def __init__(self, threads: int) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="deephar")
        # All start now: later there may be too little memory for one more.
        all_there = threading.Barrier(threads)
        for _ in range(threads):
            self._pool.submit(all_there.wait)

    async def run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Returns the result of the job. When this returns or raises, no thread works on the job any more.

        On cancellation, a job that waits for a thread is not begun, and a running one is waited for: it may use files
        and buffers that the caller is about to close.

        Raises:
            Unavailable: There was not enough memory for the job.
        """
        # Not the future's own result: chained futures refer to each other, and a picture of 150 MB in them would stay
        # until the garbage collector runs.
        results: list[R] = []
        job = self._pool.submit(lambda: results.append(work(*args, **kwargs)))
        done = asyncio.wrap_future(job)
        try:
            await asyncio.shield(done)
            return results.pop()
        except asyncio.CancelledError:
            job.cancel()  # without effect on one that runs
            await settled(done)
            raise
        except (MemoryError, cv2.error) as error:
            if isinstance(error, cv2.error) and error.code != cv2.Error.StsNoMem:
                raise
            raise Unavailable(
                "the service has too little memory for this at present; try again in a few seconds, or send less"
            ) from error

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
