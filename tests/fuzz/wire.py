"""Plain bytes on a connection, as clients send them that know nothing of the protocol."""

from __future__ import annotations

import socket


def answer_to(connection: socket.socket, data: bytes) -> bytes:
    """Sends these bytes and no more, and returns all that comes until the service closes.

    Raises:
        TimeoutError: It does not.
    """
    answer = b""
    try:
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        while part := connection.recv(2**16):
            answer += part
    except TimeoutError:
        raise
    except OSError:
        pass  # refused before all was sent
    return answer
