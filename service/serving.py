"""Serving REST and gRPC until a signal, and the shutdown of both together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import threading
from collections.abc import Iterator

import uvicorn

from service.composition import Parts, running
from service.rest.app import build_app
from service.rest.connection import WebSocketConnection, connections
from service.settings import Settings

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLEARING_S = 0.7  # after that: for Triton and this process to end by themselves
LAST_WORDS_S = 1.0  # after the grace: for the errors of unfinished requests to be sent


class RestServer(uvicorn.Server):
    """uvicorn without its signal handlers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to this module, where they end REST and gRPC together."""
        yield


async def serve(settings: Settings) -> None:
    """Runs the service; returns after a signal, when requests have ended or the grace is over."""
    async with running(settings) as parts:
        rest = RestServer(rest_config(settings, parts))
        gc.freeze()  # what exists now stays: the garbage collector need not go through it during requests
        stop = _stop_on_signals(parts)
        serving = asyncio.create_task(rest.serve(), name="REST")
        signalled = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, signalled], return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        await _drain(rest, serving, parts, settings)


def rest_config(settings: Settings, parts: Parts) -> uvicorn.Config:
    """Returns uvicorn's configuration of REST and WebSockets."""
    return uvicorn.Config(
        build_app(parts.pipeline, parts.readiness, parts.stopping),
        host=settings.host,
        port=settings.http_port,
        http=connections(settings),  # type: ignore[arg-type] # a class or what makes its instances
        ws=WebSocketConnection,
        ws_max_size=settings.max_message_bytes,
        # A pong may lie behind megabytes of frames that wait for their turn. Peers that are gone are noticed otherwise.
        ws_ping_timeout=None,
        ws_per_message_deflate=False,  # pictures are compressed already, and a message of 1 MB can hold 1 GB
        lifespan="off",
        log_level="error",
        access_log=False,
        proxy_headers=False,  # nobody asks for the caller's address
    )


async def _drain(rest: RestServer, serving: asyncio.Task[None], parts: Parts, settings: Settings) -> None:
    """Ends readiness first; after `drain_s` requests in work have `shutdown_grace_s`, on both transports at once."""
    log.info("stopping")
    grace_s = settings.shutdown_grace_s
    _end_in_any_case(parts, settings.drain_s + grace_s + LAST_WORDS_S + CLEARING_S)
    parts.stopping.announced.set()
    await asyncio.wait([serving], timeout=settings.drain_s)
    parts.stopping.begun.set()
    rest.should_exit = True
    ending = asyncio.gather(serving, parts.grpc_server.stop(grace_s + LAST_WORDS_S), return_exceptions=True)
    await asyncio.wait([ending], timeout=grace_s)
    parts.stopping.end_all()
    await asyncio.wait([ending], timeout=LAST_WORDS_S)
    if not ending.done():
        log.warning("some callers did not take their answer in time")
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)  # it would log a traceback for each of them
        ending.cancel()
    elif serving.done():
        serving.result()


def _end_in_any_case(parts: Parts, seconds: float) -> None:
    """Exits after so long: Python waits for its threads, and one may be in a job that takes minutes."""

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
    """Returns an event that the first signal sets. A second Ctrl-C ends the process at once."""
    signalled, loop = asyncio.Event(), asyncio.get_running_loop()

    def stop(number: signal.Signals) -> None:
        if signalled.is_set() and number == signal.SIGINT:
            if parts.supervisor:
                parts.supervisor.kill_now()
            os._exit(130)
        signalled.set()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # ignored under nohup
            loop.add_signal_handler(number, stop, number)
    return signalled
