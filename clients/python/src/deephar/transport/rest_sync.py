"""REST and WebSockets for synchronous callers."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack, suppress
from pathlib import Path
from socket import SHUT_RDWR
from typing import Any, cast
from weakref import WeakSet

import httpx
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from deephar.address import Address
from deephar.errors import Closed
from deephar.frames import Flush, Frame
from deephar.in_thread import in_thread
from deephar.options import PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Json, Model, PoseAnswer
from deephar.transport import Connecting, Message, StreamConnection
from deephar.transport import rest_calls as rest

_CONNECTED = ("connection.connect_tcp.complete", "connection.start_tls.complete")
_LEAVING_S = 1.0  # for a frame that is being sent


class RestTransport:
    """A pool of connections to a service's REST."""

    def __init__(self, address: Address, connecting: Connecting) -> None:
        self._address, self._headers = address, rest.headers_of(connecting)
        self._tls = rest.verification(connecting) if address.is_encrypted else None
        self._http = httpx.Client(headers=self._headers, verify=self._tls or False)
        self._sockets: WeakSet[_Socket] = WeakSet()  # of running streams
        self._wires: WeakSet[Any] = WeakSet()  # TCP connections of requests, and of WebSockets that are being opened
        self._closing: Future[None] = Future()
        self._changing = threading.Lock()  # guards these

    def models(self, timeout_s: float) -> list[Model]:
        return rest.models_of(self._answer(rest.models_question(), timeout_s))

    def pose(self, picture: bytes, options: PoseOptions, timeout_s: float) -> PoseAnswer:
        return rest.pose_of(self._answer(rest.pose_question(picture, options), timeout_s))

    def classify(self, video: Path | Iterator[Frame | Flush], options: VideoOptions, timeout_s: float) -> ActionsAnswer:
        if isinstance(video, Path):
            return ActionsAnswer.from_dict(self._answer(rest.file_question(video, options), timeout_s))
        until_s = time.monotonic() + timeout_s
        clip = rest.FramesQuestion(options)
        reading = in_thread(lambda: clip.add_all(video))
        wait((reading, self._closing), timeout_s, FIRST_COMPLETED)
        if not reading.done():
            clip.leave()
            self._refuse_if_closed()
            raise rest.late()
        reading.result()
        return clip.answer(self._answer(clip.question, max(rest.SHORTEST_S, until_s - time.monotonic())))

    def stream(self, options: VideoOptions, connect_timeout_s: float) -> StreamConnection:
        self._refuse_if_closed()
        opened = ExitStack()
        try:
            socket = opened.enter_context(
                connect(
                    **rest.socket_options(self._address, self._tls, self._headers, connect_timeout_s),
                    create_connection=cast("type[ClientConnection]", self._opened),
                )
            )
            with self._changing:
                self._wires.discard(socket.socket)
        except rest.NOT_OPENED as error:
            rest.refused(error, self._address)
        connection = _Socket(socket, opened, self._address, options)
        with self._changing:
            self._sockets.add(connection)
        if self._closing.done():  # while it connected
            connection.close()
            raise Closed
        return connection

    def close(self) -> None:
        with self._changing:
            if not self._closing.done():
                self._closing.set_result(None)
            sockets, wires = list(self._sockets), list(self._wires)
        for wire in wires:
            _cut(wire)
        self._http.close()
        for socket in sockets:
            socket.close()

    def _opened(self, wire: Any, *arguments: Any, **options: Any) -> ClientConnection:
        """Makes a WebSocket of a TCP connection, as websockets' `create_connection`."""
        self._note(wire)
        return ClientConnection(wire, *arguments, **options)

    def _traced(self, step: str, of: Json) -> None:
        """Takes what httpx's `trace` tells of a request's steps."""
        if step in _CONNECTED:
            self._note(of["return_value"].get_extra_info("socket"))

    def _note(self, wire: Any) -> None:
        with self._changing:
            self._wires.add(wire)
        if self._closing.done():
            _cut(wire)

    def _refuse_if_closed(self) -> None:
        if self._closing.done():
            raise Closed

    def _answer(self, question: rest.Question, timeout_s: float) -> Json:
        self._refuse_if_closed()
        until_s = time.monotonic() + timeout_s
        sent = rest.options_of(question, timeout_s)
        sent["extensions"] = {"trace": self._traced}
        if question.file is not None:
            sent["content"] = rest.chunks_of(question.file)
        try:
            with self._http.stream(question.method, self._address.url + question.path, **sent) as response:
                body = bytearray()
                for part in response.iter_bytes():
                    body += part
                    if time.monotonic() > until_s:
                        raise rest.late()
                return rest.document_of(response, bytes(body))
        except httpx.HTTPError as error:
            self._refuse_if_closed()
            raise rest.failed(error, self._address) from error


def _cut(wire: Any) -> None:
    """Wakes whoever reads from a TCP connection, which closing it would not."""
    with suppress(OSError):
        wire.shutdown(SHUT_RDWR)


class _Socket:
    """A WebSocket of `/v1/stream`."""

    def __init__(self, socket: ClientConnection, opened: ExitStack, address: Address, options: VideoOptions) -> None:
        self._socket, self._opened, self._address = socket, opened, address
        self._sending = threading.Lock()
        self._send(rest.config_text(options))

    def send(self, item: Frame | Flush) -> None:
        for message in rest.item_messages(item):
            self._send(message)

    def end(self) -> None:
        self._send(rest.END)

    def receive(self, timeout_s: float) -> Message | None:
        try:
            return rest.message_of(self._socket.recv(timeout_s))
        except ConnectionClosed as error:
            raise rest.closed(error, self._address) from error

    def close(self) -> None:
        if self._sending.acquire(timeout=_LEAVING_S):
            self._sending.release()
        else:  # a service that no longer reads: a farewell would wait behind the frame
            with suppress(OSError):
                self._socket.socket.shutdown(SHUT_RDWR)
        self._opened.close()

    def _send(self, message: Any) -> None:
        with self._sending, suppress(ConnectionClosed):  # whoever receives learns why
            self._socket.send(message)
