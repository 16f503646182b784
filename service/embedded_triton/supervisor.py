"""Keeps an embedded Triton running for as long as the service runs, and never longer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections import deque
from collections.abc import Callable
from typing import IO

from service.embedded_triton.leftovers import clear_dead_gateways, own_name, remove_regions
from service.settings import ROOT, Settings

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 0.25
LONGEST_BACK_OFF_S = 10.0
STEADY_S = 20.0  # a server that ran this long starts again without back-off
LAST_WORDS_S = 1.0  # how long the log of a server that ended is waited for
REASON_CHARACTERS = 300
DIFFERENT_ERRORS = 100  # of one run of the server that reach our log
_LAUNCHER = ROOT / "service" / "embedded_triton" / "launcher.py"
_PREFIX = re.compile(r"(?P<level>[IWEF])\d{4} [\d:.]+ \d+ ")  # of Triton's log lines: level, time, thread
_NUMBER = re.compile(r"0x[0-9a-fA-F]+|\d+")


def free_loopback_port() -> int:
    """A port below those the kernel hands to outgoing connections, so that it stays free between two starts."""
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port on loopback for the embedded Triton")


class TritonSupervisor:
    """Starts the server again whenever it ends. `ended` hears once of each end that was not `stop` or `kill_now`."""

    def __init__(self, settings: Settings, ended: Callable[[str], None] = lambda _: None) -> None:
        port = free_loopback_port()
        self.url = f"127.0.0.1:{port}"
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
            f"--id={self.server_id}",
            f"--parent={os.getpid()}",
        ]
        self._environment = os.environ | {"DEEPHAR_PRECISION": settings.precision}
        self._ended = ended
        self._process: subprocess.Popen[bytes] | None = None
        self._task: asyncio.Task[None] | None = None
        self._at_once = asyncio.Event()
        self._restart_reason: str | None = None
        self._is_over = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        clear_dead_gateways()
        self._task = asyncio.create_task(self._keep_running(), name="triton supervisor")

    def restart(self, reason: str) -> None:
        """Ends the server now, even one that hangs, and starts it again without back-off."""
        if self.pid is not None:
            self._restart_reason = reason
            self._kill_group()
        self._at_once.set()

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
        if self._process is not None and self.pid is not None:
            # Nobody waits for an answer any more, and what Triton would clear away in its seconds of leave, we do.
            self._kill_group()
            await _end_of(self._process)
        self._clear_away()

    def kill_now(self) -> None:
        """`stop` for who ends this process with its next step. From any thread."""
        self._is_over = True
        self._kill_group()
        remove_regions(self.server_id)

    async def _keep_running(self) -> None:
        back_off = FIRST_BACK_OFF_S
        while True:
            self._at_once.clear()
            self._restart_reason = None
            started = time.monotonic()
            try:
                how = await self._run_once()
            except Exception as error:  # whatever it is: without this loop there would be no Triton any more
                with contextlib.suppress(OSError):
                    self._clear_away()  # in case that it runs and only could not be waited for
                if not isinstance(error, OSError):
                    log.exception("the embedded Triton could not be run")
                how = f"it could not be started: {error}"
            if self._is_over:
                return
            if time.monotonic() - started > STEADY_S:
                back_off = FIRST_BACK_OFF_S
            self._ended((self._restart_reason or how)[:REASON_CHARACTERS])
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(back_off):  # `wait_for` loses a cancellation, until Python 3.12
                    await self._at_once.wait()
                continue
            back_off = min(back_off * 2, LONGEST_BACK_OFF_S)

    async def _run_once(self) -> str:
        """Runs the server until it ends; says how it ended."""
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
        code = process.returncode
        how = f"it ended with signal {-code}" if code < 0 else f"it ended with code {code}"
        last_words = server_log.last_words(REASON_CHARACTERS - len(how) - 20)
        return f"{how}; its last words: {last_words}" if last_words else how

    def _launched(self) -> subprocess.Popen[bytes]:
        # Not by asyncio: uvloop forks, which runs gRPC's fork handlers, and those can hang for good beside its threads.
        # Popen uses vfork, which runs none, as long as it gets no `preexec_fn`, user or group.
        # Not in a thread either: the launcher has itself killed when the thread that started it ends.
        return subprocess.Popen(  # noqa: S603 - our own launcher
            self._command,
            bufsize=0,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            # Ctrl-C goes to the service, which ends Triton when its callers are served; and stubs end by their group.
            start_new_session=True,
        )

    def _kill_group(self) -> None:
        # Only before the server is reaped: until then its number is nobody else's.
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)

    def _clear_away(self) -> None:
        """Ends stubs and removes shared memory that a Triton which has ended could not clear away itself."""
        self._kill_group()
        if self._process is not None:
            self._process.wait()
        remove_regions(self.server_id)


async def _end_of(process: subprocess.Popen[bytes]) -> None:
    """Returns when the process has ended and is not reaped yet. Neither polls nor takes a thread."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


class ServerLog:
    """What one run of the server says: each error goes on to our log once, the last lines explain its end."""

    def __init__(self) -> None:
        self._errors: set[str] = set()
        self._last: deque[str] = deque(maxlen=3)

    async def drain(self, pipe: IO[bytes]) -> None:
        reader = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
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
        log.log(logging.WARNING if serious and self._is_new(text) else logging.DEBUG, "triton: %s", line)

    def last_words(self, characters: int) -> str:
        words = " | ".join(self._last)
        return words if len(words) <= characters else f"... {words[4 - characters :]}"

    def _is_new(self, text: str) -> bool:
        """A stub that is broken says the same again and again, with other numbers."""
        kind = _NUMBER.sub("#", text)
        if kind in self._errors or len(self._errors) >= DIFFERENT_ERRORS:
            return False
        self._errors.add(kind)
        return True
