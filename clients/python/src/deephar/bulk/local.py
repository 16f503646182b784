"""A batch on this machine: one process that asks a service."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from deephar.bulk.asking import Service, ServiceAsking
from deephar.bulk.batch import Batch
from deephar.bulk.engine import Engine
from deephar.bulk.pace import Pace

VIDEOS = 4  # at a time, unless it is chosen: a video is many inferences
GRACE_S = 10.0  # for what is in work when the batch is interrupted
_THREADS = 4


class Interrupted(Exception):
    """Ctrl-C or SIGTERM came. What was finished is kept."""


async def run(batch: Batch, service: Service, in_flight: int, wait_s: float) -> None:
    """Asks for all that is left.

    Args:
        batch: What is to be done.
        service: That is asked.
        in_flight: Inputs at a time; 0: as many as the service gains from.
        wait_s: How long a service that went away is waited for.

    Raises:
        Interrupted: Ctrl-C or SIGTERM came.
        DeepharError: The service is away, or refuses what is the same for all inputs.
        OSError: A result cannot be written, or the inputs cannot be listed.
    """
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(_THREADS, "deephar-files") as threads:
        async with ServiceAsking(service, batch.options, batch.output, threads) as asking:
            await asking.reach()  # who cannot be reached at all is not waited for
            engine = Engine(asking, batch.done, wait_s, threads, batch.progress.tell)
            counting = loop.run_in_executor(threads, batch.count)
            with _interruptible(batch, engine):
                await engine.run(batch.left("picture"), Pace(in_flight))
                await engine.run(batch.left("video"), Pace(in_flight or VIDEOS))
                await counting


@contextmanager
def _interruptible(batch: Batch, engine: Engine) -> Iterator[None]:
    """Has a first signal finish what is in work, for a while, and a second one drop it."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()
    assert task is not None
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {each: signal.getsignal(each) for each in signals}

    def interrupt() -> None:
        if batch.stopping.is_set():
            task.cancel()
            return
        batch.stopping.set()
        engine.stop()
        batch.progress.tell("finishing what is in work; once more drops it")
        loop.call_later(GRACE_S, task.cancel)

    for each in signals:
        loop.add_signal_handler(each, interrupt)
    try:
        yield
    except asyncio.CancelledError:
        if not batch.stopping.is_set():
            raise
    finally:
        for each, handler in before.items():
            loop.remove_signal_handler(each)
            signal.signal(each, handler)
    if batch.stopping.is_set():
        raise Interrupted
