from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any

import cv2
import numpy as np
import pytest

from service.errors import Unavailable
from service.workers import Workers


def with_pool(test: Callable[[Workers], Awaitable[None]], threads: int = 1) -> None:
    """Runs the test with a pool. Its event loop must have reported no error by the end."""
    complaints: list[dict[str, Any]] = []

    async def run() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
        workers = Workers(threads)
        try:
            await test(workers)
        finally:
            workers.close()
        gc.collect()
        await asyncio.sleep(0)

    asyncio.run(asyncio.wait_for(run(), 10))
    gc.collect()
    assert complaints == []


@pytest.mark.parametrize(
    "work",
    [
        lambda: np.empty(2**60, np.uint8),
        lambda: cv2.resize(np.zeros((1, 1, 3), np.uint8), (2**30, 2**30)),
        lambda: bytearray(2**60),
    ],
)
def test_a_job_without_memory_is_unavailable_and_no_failure(work: Callable[[], object]) -> None:
    async def run(workers: Workers) -> None:
        with pytest.raises(Unavailable, match="memory"):
            await workers.run(work)
        assert await workers.run(lambda: 1) == 1

    with_pool(run)


def test_all_threads_start_with_the_pool() -> None:
    before = threading.active_count()
    workers = Workers(3)
    assert threading.active_count() == before + 3
    workers.close()


class Gate:
    """A job that runs until it is let go."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self._open = threading.Event()
        self.begun, self.ended = threading.Event(), False

    def job(self) -> str:
        self.begun.set()
        self._open.wait(5)
        time.sleep(0.01)
        self.ended = True
        if self._error is not None:
            raise self._error
        return "done"

    def let_go(self) -> None:
        self._open.set()

    async def runs(self) -> None:
        while not self.begun.is_set():
            await asyncio.sleep(0.001)


def test_results_and_arguments() -> None:
    async def test(workers: Workers) -> None:
        assert await workers.run(divmod, 7, 2) == (3, 1)
        assert await workers.run(int, "11", base=2) == 3
        assert await workers.run(threading.current_thread) is not threading.current_thread()

    with_pool(test)


@pytest.mark.parametrize("error", [ValueError("bad"), OSError("worse"), KeyError("k")])
def test_exceptions_are_passed_on(error: Exception) -> None:
    async def test(workers: Workers) -> None:
        gate = Gate(error)
        gate.let_go()
        with pytest.raises(type(error)) as caught:
            await workers.run(gate.job)
        assert caught.value is error
        assert await workers.run(lambda: 1) == 1, "the thread goes on"

    with_pool(test)


@pytest.mark.parametrize("times", [1, 2])
def test_a_waiting_job_of_a_cancelled_caller_is_never_begun(times: int) -> None:
    async def test(workers: Workers) -> None:
        gate = Gate()
        begun: list[int] = []
        first = asyncio.ensure_future(workers.run(gate.job))
        await gate.runs()
        second = asyncio.ensure_future(workers.run(begun.append, 1))
        await asyncio.sleep(0)
        for _ in range(times):
            second.cancel()
        with pytest.raises(asyncio.CancelledError):
            await second
        assert not gate.ended, "it did not wait for the thread"
        gate.let_go()
        assert await first == "done"
        await workers.run(lambda: None)
        assert begun == []

    with_pool(test)


@pytest.mark.parametrize("times", [1, 2, 5])
@pytest.mark.parametrize("error", [None, ValueError("nobody asks")])
def test_a_running_job_of_a_cancelled_caller_is_waited_for(times: int, error: Exception | None) -> None:
    async def test(workers: Workers) -> None:
        gate = Gate(error)
        task = asyncio.ensure_future(workers.run(gate.job))
        await gate.runs()
        for _ in range(times):
            task.cancel()
            await asyncio.sleep(0.005)
        assert not task.done(), "the job still runs"
        gate.let_go()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert gate.ended

    with_pool(test)


def test_a_time_limit_waits_for_the_running_job() -> None:
    async def test(workers: Workers) -> None:
        gate = Gate()
        asyncio.get_running_loop().call_later(0.05, gate.let_go)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await workers.run(gate.job)
        assert gate.ended

    with_pool(test)


def test_cancelling_at_any_moment_leaves_no_job_running() -> None:
    async def test(workers: Workers) -> None:
        running: set[int] = set()

        def job(number: int) -> None:
            running.add(number)
            time.sleep(0.001)
            running.discard(number)

        async def cancelled(number: int) -> None:
            task = asyncio.ensure_future(workers.run(job, number))
            await asyncio.sleep(number % 7 * 0.0005)
            task.cancel()
            await asyncio.wait([task])
            assert number not in running
            assert task.cancelled() or task.exception() is None

        for _ in range(20):
            await asyncio.gather(*(cancelled(number) for number in range(10)))

    with_pool(test, threads=2)
