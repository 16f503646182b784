"""A service of its own for a node of a cluster: on free ports of loopback, ended with whoever started it."""

from __future__ import annotations

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack

import httpx

from deephar.bulk import guard

PATIENCE_S = 300.0  # until it is ready: networks are compiled
_SHOWN = 2000  # characters of its log, where it does not start
_OF_THE_CLUSTER = ("OMP_NUM_THREADS", "PYTHONPATH")  # that Ray sets for its workers, and would mislead the service


class NotServed(RuntimeError):
    """The service cannot be started here; the text says why."""


def serve_command(chosen: str) -> list[str]:
    """Returns the program that serves.

    Args:
        chosen: As a shell writes it; empty: `deephar-serve` on the path, or the package `service` of this Python.
    """
    if chosen:
        return shlex.split(chosen)
    found = shutil.which("deephar-serve")
    return [found] if found else [sys.executable, "-m", "service"]


class NodeService:
    """A running service.

    Args:
        command: The program.
        settings: Variables of the service, beside the ports.

    Raises:
        NotServed: It ends, or is not ready in time.
    """

    def __init__(self, command: list[str], settings: Mapping[str, str]) -> None:
        with ExitStack() as stack:
            self._log = stack.enter_context(tempfile.TemporaryFile())  # has no name, so that it never stays behind
            http, grpc = _free_ports()
            environment = {name: value for name, value in os.environ.items() if name not in _OF_THE_CLUSTER}
            environment |= {
                "DEEPHAR_HOST": "127.0.0.1",
                "DEEPHAR_HTTP_PORT": http,
                "DEEPHAR_GRPC_PORT": grpc,
                **settings,
            }
            self._guard = subprocess.Popen(  # noqa: S603 - what the user named
                [sys.executable, guard.__file__, *command],
                stdin=subprocess.PIPE,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                env=environment,
                cwd=os.sep,  # Python's modules in another folder would be looked into first
                start_new_session=True,
            )
            stack.callback(self._end)
            self.address = f"127.0.0.1:{grpc}"
            self._wait_until_ready(f"http://127.0.0.1:{http}/readyz")
            self._stack = stack.pop_all()

    def close(self) -> None:
        """Ends the service."""
        self._stack.close()

    def _wait_until_ready(self, url: str) -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            if self._guard.poll() is not None:
                break
            try:
                if httpx.get(url, trust_env=False).status_code == httpx.codes.OK:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        self._log.seek(0)
        said = self._log.read().decode(errors="replace")[-_SHOWN:].strip()
        raise NotServed(f"the service of {os.uname().nodename} is not ready: {said}")

    def _end(self) -> None:
        assert self._guard.stdin is not None
        self._guard.stdin.close()
        self._guard.wait()


def _free_ports() -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [str(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports
