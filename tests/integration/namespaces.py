"""Network namespaces of a test: two hosts with a line between them that can be cut. They end with who holds them."""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

NEW_NETWORK = 0x40000000  # CLONE_NEWNET
NOBODY = "02:00:00:00:00:99"  # a hardware address that no host has
NEAR, FAR = "10.77.0.1", "10.77.0.2"

_libc = ctypes.CDLL(None, use_errno=True)


class Line:
    """Two hosts, near and far, and the line between them.

    Namespaces without names: the kernel removes them with their last process and the last open file, however those end.
    """

    def __init__(self, near: int, far: int) -> None:
        self._ends = {near: (NEAR, FAR), far: (FAR, NEAR)}
        self.near, self.far = near, far
        with within(near):
            ip(f"link add line type veth peer name line netns /proc/{os.getpid()}/fd/{far}")
        for end, (address, _) in self._ends.items():
            with within(end):
                ip("link set lo up", f"addr add {address}/24 dev line", "link set line up")

    def unplug(self) -> None:
        """Takes the far host's end down: the near one learns that nobody is there."""
        with within(self.far):
            ip("link set line down")

    def plug(self) -> None:
        with within(self.far):
            ip("link set line up")

    def lose_all(self) -> None:
        """Loses each packet, and tells neither host: they go to an address that nobody has."""
        for end, (_, other) in self._ends.items():
            with within(end):
                ip(f"neigh replace {other} lladdr {NOBODY} dev line nud permanent")

    def lose_none(self) -> None:
        for end, (_, other) in self._ends.items():
            with within(end):
                ip(f"neigh del {other} dev line")


def ip(*commands: str) -> None:
    for command in commands:
        subprocess.run(["ip", *command.split()], check=True)


@contextmanager
def within(namespace: int) -> Iterator[None]:
    """Has this thread, and the processes and threads that it starts, in a network namespace."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _move(namespace)
        yield
    finally:
        _move(home)
        os.close(home)


@contextmanager
def line() -> Iterator[Line]:
    """Returns a line between two new hosts; skips the test where those cannot be made."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    namespaces: list[int] = []
    try:
        for _ in range(2):
            if _libc.unshare(NEW_NETWORK):
                pytest.skip("network namespaces can only be made by root")
            namespaces.append(os.open("/proc/thread-self/ns/net", os.O_RDONLY))
            _move(home)
        yield Line(*namespaces)
    finally:
        for namespace in (home, *namespaces):
            os.close(namespace)


def _move(namespace: int) -> None:
    if _libc.setns(namespace, NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "the network namespace cannot be entered")
