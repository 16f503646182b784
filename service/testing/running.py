"""A whole service as its users run it: `python -m service` in a process of its own, on free ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from service.testing.ports import free_loopback_port

ROOT = Path(__file__).resolve().parent.parent.parent
START_PATIENCE_S = 180.0  # thirteen networks in bf16 that the processor does not know take a minute


@dataclass
class ServiceProcess:
    process: subprocess.Popen[bytes]
    http_port: int
    grpc_port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def grpc_address(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def wait_until_ready(self) -> None:
        deadline = time.monotonic() + START_PATIENCE_S
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError(f"the service ended with {self.process.returncode}:\n{self.log.read_text()}")
            try:
                if httpx.get(f"{self.url}/readyz").status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise TimeoutError(f"not ready after {START_PATIENCE_S} s:\n{self.log.read_text()}")

    def triton_pids(self) -> list[int]:
        """The embedded server and its Python stubs, found by the service's process id in their command lines."""
        return processes_with(f"deephar-{self.process.pid}-")

    def triton_address(self) -> str:
        """The embedded server's gRPC, for what a test or a benchmark wants of it without the gateway."""
        for pid in self.triton_pids():
            for argument in Path(f"/proc/{pid}/cmdline").read_text().split("\0"):
                if argument.startswith("--grpc-port="):
                    return f"127.0.0.1:{argument.removeprefix('--grpc-port=')}"
        raise RuntimeError("the service has no embedded Triton")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        if self.process.poll() is None:
            self.process.send_signal(how)
        return self.process.wait(timeout=30)


def processes_with(text: str) -> list[int]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if text.encode() in (folder / "cmdline").read_bytes():
                    found.append(int(folder.name))
            except OSError:  # it ended in between
                continue
    return found


@contextmanager
def running_service(wait: bool = True, checkout: Path = ROOT, **settings: str) -> Iterator[ServiceProcess]:
    """Starts the service and stops it at the end.

    Args:
        wait: Whether to wait until it is ready.
        checkout: Of this project; another one runs in its own environment.
        settings: DEEPHAR_ variables in lower case without the prefix.
    """
    python = sys.executable if checkout == ROOT else str(checkout / ".venv" / "bin" / "python")
    http_port, grpc_port = free_loopback_port(), free_loopback_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")}
    environment |= {"DEEPHAR_HTTP_PORT": str(http_port), "DEEPHAR_GRPC_PORT": str(grpc_port)}
    environment |= {f"DEEPHAR_{name.upper()}": value for name, value in settings.items()}
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "service.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - of a checkout that the caller names
                [python, "-m", "service"], cwd=checkout, env=environment, stdout=output, stderr=subprocess.STDOUT
            )
        service = ServiceProcess(process, http_port, grpc_port, log)
        try:
            if wait:
                service.wait_until_ready()
            yield service
        finally:
            service.stop()
