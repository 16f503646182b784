"""Serving REST and gRPC until a signal, and the shutdown of both together."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import signal
import socket
import threading
from collections.abc import AsyncIterator, Iterator

import uvicorn

from service.composition import Parts, running
from service.rest.app import build_app
from service.rest.connection import connections
from service.rest.metrics import PATHS, metrics_app
from service.rest.observed import Observed
from service.rest.websocket_connection import WebSocketConnection
from service.settings import Settings
from service.telemetry.traces import TRACES
from service.telemetry.triton_metrics import TritonMetrics

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CLEARING_S = 0.7  # after that: for Triton and this process to end by themselves
HANDSHAKE_S = 10.0
LAST_WORDS_S = 1.0  # after the grace: for the errors of unfinished requests to be sent


class RestServer(uvicorn.Server):
    """uvicorn without its signal handlers, and with a time limit for the handshakes of TLS."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leaves signals to this module, where they end REST and gRPC together."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        if not self.config.is_ssl:
            await super().startup(sockets)
            return
        config = self.config

        def connection() -> asyncio.Protocol:
            return config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=self.server_state, app_state={}
            )

        listening = await asyncio.get_running_loop().create_server(
            connection,
            config.host,
            config.port,
            ssl=config.ssl,
            ssl_handshake_timeout=HANDSHAKE_S,
            ssl_shutdown_timeout=LAST_WORDS_S,
            backlog=config.backlog,
        )
        self.servers, self.started = [listening], True


async def serve(settings: Settings) -> None:
    """Runs the service; returns after a signal, when requests have ended or the grace is over."""
    metrics_socket = listening(settings)
    if settings.otlp_endpoint:
        TRACES.start(settings.otlp_endpoint)
    async with running(settings) as parts, _metrics_on(metrics_socket, settings, triton_metrics(settings, parts)):
        rest = RestServer(rest_config(settings, parts))
        gc.freeze()  # what exists now stays: the garbage collector need not go through it during requests
        stop = _stop_on_signals(parts)
        serving = asyncio.create_task(rest.serve(), name="REST")
        signalled = asyncio.create_task(stop.wait())
        await asyncio.wait([serving, signalled], return_when=asyncio.FIRST_COMPLETED)
        signalled.cancel()
        await _drain(rest, serving, parts, settings)
    TRACES.stop()


def listening(settings: Settings) -> socket.socket | None:
    """Returns the socket of `metrics_port`, where there is one."""
    if not settings.metrics_port:
        return None
    family = socket.AF_INET6 if ":" in settings.metrics_host else socket.AF_INET
    return socket.create_server((settings.metrics_host, settings.metrics_port), family=family)


def triton_metrics(settings: Settings, parts: Parts) -> TritonMetrics:
    """Returns where the metrics of the embedded Triton are, or of those that the settings name."""
    if parts.supervisor:
        return TritonMetrics({"embedded": parts.supervisor.metrics_url})
    return TritonMetrics.of_setting(settings.triton_metrics_url)


@contextlib.asynccontextmanager
async def _metrics_on(
    listening: socket.socket | None, settings: Settings, triton: TritonMetrics
) -> AsyncIterator[None]:
    """Serves the metrics alone until the context ends: also while the service stops."""
    if listening is None:
        yield
        return
    app = Observed(metrics_app(triton), PATHS)
    config = uvicorn.Config(
        app,
        http=connections(settings),  # type: ignore[arg-type] # no key is asked for here: the limits hold all the more
        ws="none",
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type] # any number of seconds
        lifespan="off",
        log_config=None,
        log_level="error",
        access_log=False,
        proxy_headers=False,
    )
    server = RestServer(config)
    serving = asyncio.create_task(server.serve([listening]), name="metrics")
    try:
        yield
    finally:
        server.should_exit = server.force_exit = True
        await asyncio.wait([serving], timeout=CLEARING_S)


def rest_config(settings: Settings, parts: Parts) -> uvicorn.Config:
    """Returns uvicorn's configuration of REST and WebSockets."""
    app = build_app(parts.pipeline, parts.readiness, parts.stopping, parts.access, triton_metrics(settings, parts))
    certificates = parts.certificates
    return uvicorn.Config(
        Observed(app, app.state.paths),
        host=settings.host,
        port=settings.http_port,
        http=connections(settings),  # type: ignore[arg-type] # a class or what makes its instances
        ws=WebSocketConnection,
        ws_max_size=settings.max_message_bytes,
        timeout_keep_alive=settings.keep_alive_s,  # type: ignore[arg-type] # any number of seconds
        # A pong may lie behind megabytes of frames that wait for their turn. Peers that are gone are noticed otherwise.
        ws_ping_timeout=None,
        ws_per_message_deflate=False,  # pictures are compressed already, and a message of 1 MB can hold 1 GB
        lifespan="off",
        log_config=None,  # its lines are formatted as all others
        log_level="error",
        access_log=False,
        proxy_headers=False,  # nobody asks for the caller's address
        ssl_context_factory=(lambda *_: certificates.context()) if certificates else None,
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
            logging.shutdown()
            os._exit(130)
        signalled.set()

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:  # ignored under nohup
            loop.add_signal_handler(number, stop, number)
    return signalled
