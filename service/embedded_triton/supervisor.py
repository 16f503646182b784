"""Supervisor of the embedded Triton: keeps it running as long as the service runs, and no longer."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import os
import re
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import IO

from service.embedded_triton.leftovers import clear_dead_gateways, own_name, remove_regions
from service.settings import ROOT, Settings
from service.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 0.25
LONGEST_BACK_OFF_S = 10.0
STEADY_S = 20.0  # a server that ran this long is restarted without back-off
LAST_WORDS_S = 1.0  # within which the rest of an ended server's log is read
REASON_CHARACTERS = 300  # of the logged reason of an end
DIFFERENT_ERRORS = 100  # logged as warnings in one run of the server
_PORTS = range(26000, 32000)
_LAUNCHER = ROOT / "service" / "embedded_triton" / "launcher.py"
_PREFIX = re.compile(r"(?P<level>[IWEF])\d{4} [\d:.]+ \d+ ")  # of Triton's log lines: level, time, thread
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


def free_loopback_ports(start: int) -> Iterator[int]:
    """Yields free ports of Triton's range, from its `start`-th on.

    They are below the kernel's ephemeral ports, so that no client's connection takes one before it is used.
    """
    for place in range(len(_PORTS)):
        port = _PORTS[(start + place) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            yield port
    raise RuntimeError("no port on loopback is free")


class TritonSupervisor:
    """Starts the embedded Triton, and restarts it with back-off whenever it ends.

    Args:
        settings: Its environment, model repository and precision.
        ended: Called with the reason of each end that was not caused by `stop` or `kill_now`.

    Raises:
        FileNotFoundError: There is no environment for Triton.
    """

    def __init__(self, settings: Settings, ended: Callable[[str], None] = lambda _: None) -> None:
        # Services that start at the same moment begin at different ports: none is bound yet.
        free = free_loopback_ports(2 * os.getpid())
        taken = (settings.http_port, settings.grpc_port, settings.metrics_port)
        port, metrics_port = islice((port for port in free if port not in taken), 2)
        self.url = f"127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}/metrics"
        self.server_id = own_name(port)
        python = settings.triton_env / "bin" / "python"
        if not python.exists():
            raise FileNotFoundError(
                f"{python} is missing; run `make setup`, or set DEEPHAR_TRITON_URL to a running Triton"
            )
        self._command = [
            str(python),
            str(_LAUNCHER),
            f"--repository={settings.model_repository}",
            f"--port={port}",
            f"--metrics-port={metrics_port}",
            f"--id={self.server_id}",
            f"--parent={os.getpid()}",
            "--loaded-by-parent",
        ]
        self._environment = os.environ | {
            "DEEPHAR_PRECISION": settings.precision,
            "DEEPHAR_BACKEND": settings.backend,
        }
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._at_once = asyncio.Event()
        self._restart_reason: str | None = None
        self._is_over = False

    @property
    def pid(self) -> int | None:
        """Process id of the server; None while it does not run."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Clears up after ended gateways, then starts the server in the background."""
        clear_dead_gateways()
        self._task = asyncio.create_task(self._keep_running(), name="triton supervisor")

    def restart(self, reason: str) -> None:
        """Kills the server, even one that hangs, and starts it again without back-off."""
        if self.pid is not None:
            self._restart_reason = reason
            self._kill_group()
        self._at_once.set()

    async def stop(self) -> None:
        """Kills the server, waits for its end and removes its shared memory."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._process is not None and self.pid is not None:
            # Killed, not asked to end: nobody waits for an answer, and what Triton would clear up, `_clear_away` does.
            self._kill_group()
            await _end_of(self._process)
        self._clear_away()

    def kill_now(self) -> None:
        """Kills the server at once, for a caller that ends this process next. May be called from any thread."""
        self._is_over = True
        self._kill_group()
        remove_regions(self.server_id)

    async def _keep_running(self) -> None:
        back_off = FIRST_BACK_OFF_S
        for start in itertools.count():
            if start:
                METRICS.triton_restarts.inc()
            self._at_once.clear()
            self._restart_reason = None
            started = time.monotonic()
            try:
                how = await self._run_once()
            except Exception as error:  # whatever it is: without this loop Triton would not be restarted
                with contextlib.suppress(OSError):
                    self._clear_away()  # in case it runs and only the wait failed
                if not isinstance(error, OSError):
                    log.exception("the embedded Triton could not be run")
                how = f"it could not be started: {error}"
            if self._is_over:
                return
            if time.monotonic() - started > STEADY_S:
                back_off = FIRST_BACK_OFF_S
            self._ended((self._restart_reason or how)[:REASON_CHARACTERS])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(back_off):  # before Python 3.12 `wait_for` may lose a cancellation
                    await self._at_once.wait()
                continue
            back_off = min(back_off * 2, LONGEST_BACK_OFF_S)

    async def _run_once(self) -> str:
        """Runs the server until it ends. Returns how it ended."""
        self._process = process = self._launched()
        assert process.stderr is not None
        server_log = ServerLog()
        draining = asyncio.create_task(server_log.drain(process.stderr))
        try:
            await _end_of(process)
            self._clear_away()
            await asyncio.wait([draining], timeout=LAST_WORDS_S)
        finally:
            draining.cancel()
            await asyncio.wait([draining])
        code = process.returncode
        how = f"it ended with signal {-code}" if code < 0 else f"it ended with code {code}"
        last_words = server_log.last_words(REASON_CHARACTERS - len(how) - 20)
        return f"{how}; its last words: {last_words}" if last_words else how

    def _launched(self) -> subprocess.Popen[bytes]:
        # Not by asyncio: uvloop forks, which runs gRPC's fork handlers, and those can deadlock with its threads.
        # Popen uses vfork, which runs none, as long as it gets no `preexec_fn`, user or group.
        # Not in a thread either: the kernel kills the launcher when the thread that started it ends.
        return subprocess.Popen(  # noqa: S603 - our own launcher
            self._command,
            bufsize=0,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C must reach the service only, which ends Triton last; and stubs are killed by their group.
            start_new_session=True,
        )

    def _kill_group(self) -> None:
        # Only before the server is reaped: until then its pid cannot be reused.
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _clear_away(self) -> None:
        """Kills the stubs and removes the shared memory of a server that has ended."""
        self._kill_group()
        if self._process is not None:
            self._process.wait()
        remove_regions(self.server_id)


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    """Waits until the process has ended, without reaping it. Neither polls nor takes a thread."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


class ServerLog:
    """The log of one run of the server: each error is logged once as a warning, the last lines explain its end."""

    def __init__(self) -> None:
        self._errors: set[str] = set()
        self._last: deque[str] = deque(maxlen=3)

    async def drain(self, pipe: IO[bytes]) -> None:
        """Reads the server's stderr to its end."""
        reader = asyncio.StreamReader()
        connecting = asyncio.ensure_future(
            asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
        )
        try:
            transport, _ = await asyncio.shield(connecting)
        except asyncio.CancelledError:
            # Not cancelled halfway: uvloop would leave the pipe open, and abort the process when it is closed later.
            (await connecting)[0].close()
            raise
        try:
            while not reader.at_eof():
                with contextlib.suppress(ValueError):  # a line longer than the reader's buffer
                    self.take((await reader.readline()).decode(errors="replace"))
        finally:
            transport.close()

    def take(self, line: str) -> None:
        line = " ".join(line.split())
        prefix = _PREFIX.match(line)
        text = line[prefix.end() :] if prefix else line
        serious = prefix is not None and prefix["level"] in "EF" and "CudaDriverHelper" not in text  # there is no GPU
        if text and (serious or prefix is None) and not text.startswith(("|", "+")):  # no tables
            self._last.append(text)
        level = logging.WARNING if serious and self._is_new(text) else logging.DEBUG
        if prefix is not None and text.startswith(_LAUNCHER.name):  # which backend runs, and why
            level = logging.WARNING if prefix["level"] == "W" else logging.INFO
        log.log(level, "triton: %s", line)

    def last_words(self, characters: int) -> str:
        words = " | ".join(self._last)
        return words if len(words) <= characters else f"... {words[4 - characters :]}"

    def _is_new(self, text: str) -> bool:
        """Returns whether an error differs from all before it in more than numbers: a broken stub repeats itself."""
        kind = _NUMBER.sub("#", text)
        if kind in self._errors or len(self._errors) >= DIFFERENT_ERRORS:
            return False
        self._errors.add(kind)
        return True
