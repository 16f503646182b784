"""A TCP proxy that stalls, delays, resets and forgets the connections through it."""

from __future__ import annotations

import contextlib
import queue
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_RESET_ON_CLOSE = struct.pack("ii", 1, 0)  # SO_LINGER of no time
_PIECE = 2**16


class Connection:
    """One connection through the proxy."""

    def __init__(self, proxy: FaultyProxy, caller: socket.socket, server: socket.socket) -> None:
        self._proxy, self._ends = proxy, (caller, server)
        self.forgotten, self.is_open = False, True
        for source, target, is_answer in ((caller, server, False), (server, caller, True)):
            arrived: queue.Queue[tuple[float, bytes]] = queue.Queue()
            threading.Thread(target=self._read, args=(source, arrived), daemon=True).start()
            threading.Thread(target=self._write, args=(arrived, target, is_answer), daemon=True).start()

    def reset(self) -> None:
        self.is_open = False
        for end in self._ends:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
                end.shutdown(socket.SHUT_RD)  # wakes the thread that reads
            end.close()

    def _read(self, source: socket.socket, arrived: queue.Queue[tuple[float, bytes]]) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                arrived.put((time.monotonic(), data))
        arrived.put((time.monotonic(), b""))

    def _write(self, arrived: queue.Queue[tuple[float, bytes]], target: socket.socket, is_answer: bool) -> None:
        with contextlib.suppress(OSError):
            while True:
                at, data = arrived.get()
                time.sleep(max(0.0, at + self._proxy.delay_s - time.monotonic()))
                self._proxy.flowing.wait()
                if not data:
                    break
                if self.forgotten:
                    continue
                passed = self._proxy.passed(data, is_answer)
                target.sendall(passed)
                if len(passed) < len(data):
                    break
        self.reset()


class FaultyProxy:
    """Passes what comes to its address on to a server, until it is told otherwise.

    Attributes:
        delay_s: By how much all data are late, each way.
        flowing: Whether data are passed on; what comes meanwhile is kept.
    """

    def __init__(self, server: str) -> None:
        self.delay_s = 0.0
        self.flowing = threading.Event()
        self.flowing.set()
        self.lead_to(server)
        self._cut: tuple[bool, int] | None = None
        self._lock = threading.Lock()
        self._connections: list[Connection] = []
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listening.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def lead_to(self, server: str) -> None:
        """Leads further connections to another server."""
        host, _, port = server.rpartition(":")
        self._server = host, int(port)

    def reset(self) -> None:
        """Resets all connections."""
        with self._lock:
            connections, self._connections = self._connections, []
        for connection in connections:
            connection.reset()

    def forget(self) -> None:
        """Loses what comes over the present connections, for good, and tells nobody."""
        with self._lock:
            for connection in self._connections:
                connection.forgotten = True

    def forgotten_are_open(self) -> bool:
        """Returns whether a caller has not given up a connection that was forgotten."""
        with self._lock:
            return any(connection.forgotten and connection.is_open for connection in self._connections)

    def cut_after(self, count: int, answers: bool) -> None:
        """Resets the connection over which the last of so many further bytes goes, of answers or of requests."""
        with self._lock:
            self._cut = answers, count

    @property
    def has_cut(self) -> bool:
        return self._cut is None

    def passed(self, data: bytes, is_answer: bool) -> bytes:
        """Returns as much of the data as is passed on."""
        with self._lock:
            if self._cut is None or self._cut[0] != is_answer:
                return data
            left = self._cut[1] - len(data)
            self._cut = (is_answer, left) if left > 0 else None
            return data if left > 0 else data[: left - 1]

    def close(self) -> None:
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        self.flowing.set()
        self.reset()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                caller, _ = self._listening.accept()
                try:
                    connection = Connection(self, caller, socket.create_connection(self._server))
                except OSError:
                    caller.close()
                    continue
                with self._lock:
                    self._connections.append(connection)


@contextmanager
def faulty_proxy(server: str) -> Iterator[FaultyProxy]:
    proxy = FaultyProxy(server)
    try:
        yield proxy
    finally:
        proxy.close()
