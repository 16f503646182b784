"""Keeps an embedded Triton running for as long as the service runs, and never longer."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import random
import signal
import socket
import time
from pathlib import Path

from service.settings import ROOT, Settings

log = logging.getLogger(__name__)

FIRST_BACK_OFF_S = 0.25
LONGEST_BACK_OFF_S = 10.0
STEADY_S = 20.0  # a server that ran this long starts again without back-off
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Triton keeps it
_LAUNCHER = ROOT / "service" / "triton" / "embedded.py"


def free_loopback_port() -> int:
    """A port below those the kernel hands to outgoing connections, so that it stays free between two starts."""
    for port in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise RuntimeError("no free port on loopback for the embedded Triton")


class TritonSupervisor:
    def __init__(self, settings: Settings) -> None:
        port = free_loopback_port()
        self.url = f"127.0.0.1:{port}"
        self.server_id = f"deephar-{os.getpid()}-{port}"
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
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None
        self._log_reader: asyncio.Task[str] | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_running(), name="triton supervisor")

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        process = self._process
        if process is not None and process.returncode is None:
            # Nobody waits for an answer any more, and what Triton would clear away in its seconds of leave, we do.
            process.kill()
            await process.wait()
        self._clear_away()
        if self._log_reader is not None:
            await self._log_reader

    async def _keep_running(self) -> None:
        back_off = FIRST_BACK_OFF_S
        while True:
            started = time.monotonic()
            # A pipe of our own: asyncio's would have `wait` wait for stubs that outlive a killed server, too.
            read_end, write_end = os.pipe()
            # A session of its own: Ctrl-C goes to the service, which ends Triton when its callers are served.
            self._process = await asyncio.create_subprocess_exec(
                *self._command,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=write_end,
                start_new_session=True,
            )
            os.close(write_end)
            self._log_reader = asyncio.create_task(_last_lines(read_end))
            code = await self._process.wait()
            self._clear_away()
            last_words = await self._log_reader
            if time.monotonic() - started > STEADY_S:
                back_off = FIRST_BACK_OFF_S
            log.error("Triton ended with code %s, starting it again in %.2f s. It said: %s", code, back_off, last_words)
            await asyncio.sleep(back_off)
            back_off = min(back_off * 2, LONGEST_BACK_OFF_S)

    def _clear_away(self) -> None:
        """Ends stubs and removes shared memory that a Triton which was killed could not clear away itself."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._process.pid, signal.SIGKILL)
        for region in SHARED_MEMORY.glob(f"{self.server_id}*"):
            region.unlink(missing_ok=True)


async def _last_lines(read_end: int, keep: int = 5) -> str:
    """Drains the server's log until it ends; errors go on to ours."""
    reader = asyncio.StreamReader()
    with os.fdopen(read_end, "rb", buffering=0) as pipe:
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            return await _drained(reader, keep)
        finally:
            transport.close()


async def _drained(reader: asyncio.StreamReader, keep: int) -> str:
    lines: list[str] = []
    while True:
        try:
            raw = await reader.readline()
        except ValueError:  # a line longer than the reader's buffer
            continue
        if not raw:
            return " | ".join(lines)
        line = raw.decode(errors="replace").rstrip()
        if not line:
            continue
        lines = [*lines[-keep + 1 :], line]
        serious = line.startswith(("E", "F")) and "CudaDriverHelper" not in line  # said wherever there is no GPU
        log.log(logging.WARNING if serious else logging.DEBUG, "triton: %s", line)
