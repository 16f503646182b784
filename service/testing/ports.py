"""Ports for tests and benchmarks: below the kernel's ephemeral ports and beside those of embedded Tritons."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from itertools import cycle

_FIRST, _EACH = 20_000, 3_000  # for each of two processes that test side by side


def _own_ports() -> list[int]:
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    first = _FIRST + int(worker) % 2 * _EACH
    ports = [*range(first, first + _EACH)]
    start = random.randrange(_EACH)  # noqa: S311 - ports of the run before may still be closing
    return ports[start:] + ports[:start]


_ports = cycle(_own_ports())


def free_loopback_port() -> int:
    """Returns a port that nobody listens on, and that was not returned lately."""
    for port in _ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("the ports never end")
