"""REST and gRPC for as long as the process lives, and how both end together."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import Iterator

import uvicorn

from service.composition import Parts, running
from service.rest.app import build_app
from service.rest.connection import connections
from service.settings import Settings

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLEARING_S = 0.7  # after them: for Triton and this process to end by themselves
LAST_WORDS_S = 1.0  # after the grace: for errors to reach those whose requests were not finished


class RestServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are this module's: they end REST and gRPC together."""
        yield


async def serve(settings: Settings) -> None:
    """Returns when a signal has come and everybody has been taken leave of."""
    async with running(settings) as parts:
        rest = RestServer(_rest_config(settings, parts))
        told_to_stop = _stop_on_signals(parts)
        serving = asyncio.create_task(rest.serve(), name="REST")
        signalled = asyncio.create_task(told_to_stop.wait())
        await asyncio.wait([serving, signalled], return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        await _drain(rest, serving, parts, settings.shutdown_grace_s)


def _rest_config(settings: Settings, parts: Parts) -> uvicorn.Config:
    return uvicorn.Config(
        build_app(parts.pipeline, parts.readiness, parts.stopping),
        host=settings.host,
        port=settings.http_port,
        http=connections(settings),  # type: ignore[arg-type] # a class or what makes its instances
        lifespan="off",
        log_level="error",
        access_log=False,
    )


async def _drain(rest: RestServer, serving: asyncio.Task[None], parts: Parts, grace_s: float) -> None:
    """Readiness goes first; then who is being served has `grace_s` seconds, over both transports at once."""
    log.info("stopping")
    _end_in_any_case(parts, grace_s + LAST_WORDS_S + CLEARING_S)
    parts.stopping.begun.set()
    rest.should_exit = True
    ending = asyncio.gather(serving, parts.grpc_server.stop(grace_s + LAST_WORDS_S), return_exceptions=True)
    await asyncio.wait([ending], timeout=grace_s)
    parts.stopping.end_all()
    await asyncio.wait([ending], timeout=LAST_WORDS_S)
    if not ending.done():
        log.warning("some callers did not take their answer in time")
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would tell each of them with a traceback
        ending.cancel()
    elif serving.done():
        serving.result()


def _end_in_any_case(parts: Parts, seconds: float) -> None:
    """Python waits for its threads before it ends, and one may be in a job that takes minutes."""

    def end() -> None:
        log.warning("work that does not end is left")
        if parts.supervisor:
            parts.supervisor.kill_now()
        logging.shutdown()
        os._exit(0)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()


def _stop_on_signals(parts: Parts) -> asyncio.Event:
    told, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if told.is_set() and number == signal.SIGINT:
            if parts.supervisor:
                parts.supervisor.kill_now()
            os._exit(130)
        told.set()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup has it ignored
            loop.add_signal_handler(number, stop, number)
    return told
