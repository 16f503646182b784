"""HTTP connections: uvicorn's, with limits of memory and time for what a peer sends and reads."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio.events import TimerHandle
from collections.abc import Callable
from contextvars import copy_context
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request, Response

from service.errors import DeepharError, HeadersTooLarge, InvalidArgument, RequestTimeout
from service.rest import problems
from service.settings import Settings
from service.telemetry.observation import begun, ended
from service.telemetry.request import OTHER_ROUTE

# After so long a caller that sends no more is probed; its kernel's refusal is there after the second time.
PROBE_S, REFUSAL_S = 0.5, 0.1
_CLOSED, _CLOSED_BY_PEER = 7, 8  # states of a TCP connection, in the first byte of TCP_INFO
LOOK_S = 0.25  # between two looks at whether the peer of a WebSocket has left
_NO_UTF8 = 1007  # closing code of RFC 6455
SEND_BUFFER = 2**18  # bytes in the kernel; with its default of megabytes, a stalled reader is noticed late


class HttpConnection(HttpToolsProtocol):
    """An HTTP connection with limits for headers, for their time and for the time in which an answer is read.

    uvicorn has none of them. httptools copies all of a header for each part of it that arrives: a header of 400 MB
    would block the event loop for minutes.
    """

    def __init__(self, *args: Any, settings: Settings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = settings
        self._awaits_request = True  # no complete headers since the connection or the last answer
        self._header_bytes = 0  # received since the last complete headers or piece of a body
        self._refused = False
        self._answering: RequestResponseCycle | None = None  # while a further request waits for it to end
        self._header_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None
        self._probe_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # The end of an answer is in the kernel's buffer: a peer that does not read it must not keep the socket.
        with contextlib.suppress(OSError, AttributeError):
            milliseconds = round(1e3 * self._settings.write_timeout_s)
            peer = transport.get_extra_info("socket")
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        if self.pipeline and self._answering is not None:  # uvicorn notifies only the newest cycle
            self._answering.disconnected = True
            self._answering.message_event.set()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if self._awaits_request:
            self._start_header_timer()
        self._header_bytes += len(data)
        super().data_received(data)
        # Trailers after a body count as well.
        if self._header_bytes > self._settings.max_header_bytes and not self._refused:
            self._refuse(self._too_large())

    def eof_received(self) -> bool:  # type: ignore[override]
        """Returns whether to stay open: a caller that sends no more may read the answer; one that has left does not.

        Both look the same, until something is sent: an informational answer, which the kernel of one that left refuses.
        """
        if self._refused or self.pipeline or not self._is_answering() or self.cycle.more_body:
            return False
        if self.scheme == "https":  # TLS has no half of a connection
            return False
        self.cycle.keep_alive = False
        if self.cycle.scope["http_version"] != "1.0":
            self._probe_timer = self.loop.call_later(PROBE_S, self._probe)
        return True

    def _probe(self) -> None:
        if self._is_answering() and not self.cycle.response_started:
            self.transport.write(b"HTTP/1.1 102 Processing\r\n\r\n")
            self._probe_timer = self.loop.call_later(REFUSAL_S, self._look_whether_refused)

    def _look_whether_refused(self) -> None:
        if _tcp_state(self.transport) == _CLOSED:
            self.transport.abort()
        else:
            self._probe_timer = self.loop.call_later(PROBE_S, self._probe)

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        if self.pipeline:
            # One pipelined request is taken: a keep-alive client can read the whole answer and send the next request
            # before our own end of that answer. With a second one the connection ends; clients repeat those elsewhere.
            self._refused, self.cycle.keep_alive = True, False
            return
        self._answering = self.cycle if self._is_answering() else None
        self._awaits_request, self._header_bytes = False, 0
        if self._header_timer is not None:
            self._header_timer.cancel()
            self._header_timer = None
        size = len(self.url) + sum(len(name) + len(value) for name, value in self.headers)
        if size > self._settings.max_header_bytes:
            self._refuse(self._too_large())
        else:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._header_bytes = 0
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._header_bytes = 0
        if not self._refused:
            super().on_message_complete()
            self._awaits_request = True

    def on_response_complete(self) -> None:
        own_body = not self.pipeline  # a pipelined request has arrived only after the body of this one
        super().on_response_complete()
        if own_body and self.cycle.more_body and not self.transport.is_closing():
            self.transport.close()  # the gate has waited for the rest of the body

    def send_400_response(self, msg: str) -> None:
        self._refuse(InvalidArgument("this is not HTTP that can be understood; see /docs"), status=400)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write_timer = self.loop.call_later(self._settings.write_timeout_s, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _start_header_timer(self) -> None:
        if self._header_timer is None:
            self._header_timer = self.loop.call_later(self._settings.header_timeout_s, self._headers_are_late)

    def _stop_timers(self) -> None:
        for timer in (self._header_timer, self._write_timer, self._probe_timer):
            if timer is not None:
                timer.cancel()
        self._header_timer = self._write_timer = self._probe_timer = None

    def _headers_are_late(self) -> None:
        self._header_timer = None
        if self.transport.is_closing() or not self._awaits_request:
            return
        if self._header_bytes:
            self._refuse(
                RequestTimeout(
                    f"the request's headers took over {self._settings.header_timeout_s:g} s; send them at once"
                )
            )
        else:
            self.transport.close()

    def _too_large(self) -> DeepharError:
        limit = self._settings.max_header_bytes
        return HeadersTooLarge(f"the request's address and headers have over {limit} bytes; send options in a form")

    def _refuse(self, error: DeepharError, status: int | None = None) -> None:
        """Answers without a request, and closes the connection."""
        self._refused = True
        if self._is_answering():
            # The answer that is being written ends here: its cycle must know before it writes on.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
            return
        copy_context().run(self._answer, error, status)
        self.transport.close()

    def _answer(self, error: DeepharError, status: int | None) -> None:
        """Writes the answer of a request that the application never sees, and counts it."""
        sent_id = next((value for name, value in self.headers or () if name == b"x-request-id"), None)
        request = begun("rest", OTHER_ROUTE, sent_id=None if sent_id is None else sent_id.decode("latin-1"))
        answer = problems.own_error(error)
        code = status or answer.status_code
        head = [STATUS_LINE[code]]
        head += [name + b": " + value + b"\r\n" for name, value in answer.raw_headers]
        head.append(b"x-request-id: " + request.id.encode() + b"\r\n")
        self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", bytes(answer.body)]))
        request.bytes_in, request.bytes_out = self._header_bytes, len(answer.body)
        ended(request, str(code))


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A WebSocket that tells at once when its peer has left: the request's `state.left` is set.

    uvicorn does not read on while a message waits for its turn, and so would not notice. A shutdown leaves the
    connection open: its stream ends by itself, when everything is answered.
    """

    def __init__(self, *args: Any, app_state: dict[str, Any], **kwargs: Any) -> None:
        self._left = asyncio.Event()
        app_state = {**app_state, "left": self._left}
        super().__init__(*args, **kwargs, app_state=app_state)  # type: ignore[misc]
        self._look_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        self._left.set()
        if self._look_timer is not None:
            self._look_timer.cancel()
        super().connection_lost(exc)

    def handle_connect(self, event: Request) -> None:
        accept = self.conn.accept

        def accept_or_tell(asked: Request) -> Response:
            response = accept(asked)
            if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:  # the application never sees it
                copy_context().run(self._tell_refusal, asked, response)
            return response

        self.conn.accept = accept_or_tell  # type: ignore[assignment, method-assign]
        super().handle_connect(event)
        if not self.close_sent and not self.read_paused:
            # Until the application receives the opening, which it does when it accepts it: whoever has shown no key
            # yet, or waits for it to be checked, could send a message of the largest size.
            self.read_paused = True
            self.transport.pause_reading()

    def _tell_refusal(self, asked: Request, response: Response) -> None:
        sent_ids = asked.headers.get_all("X-Request-ID")
        request = begun("websocket", OTHER_ROUTE, sent_id=sent_ids[0] if sent_ids else None)
        response.headers["X-Request-ID"] = request.id
        ended(request, str(response.status_code))

    async def send(self, message: ASGISendEvent) -> None:
        await super().send(message)
        if message["type"] == "websocket.http.response.body" and not message.get("more_body", False):
            self.handshake_complete = True  # uvicorn takes a refusal for a fault, and would log each as an error

    def handle_close(self, event: Frame) -> None:
        self._left.set()
        super().handle_close(event)

    def send_receive_event_to_app(self) -> None:
        """Passes a message on. Of a text that is no UTF-8 uvicorn would log a traceback, for whoever sends one."""
        if self.curr_msg_data_type == "text" and not self.close_sent and not _is_utf8(b"".join(self.frames)):
            self._left.set()
            self.conn.send_close(_NO_UTF8)
            self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def shutdown(self) -> None:
        if not self.handshake_complete or self.close_sent:
            super().shutdown()

    def _look(self) -> None:
        if _tcp_state(self.transport) in (_CLOSED, _CLOSED_BY_PEER):
            self._left.set()
        self._look_timer = self.loop.call_later(LOOK_S, self._look)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _tcp_state(transport: asyncio.Transport) -> int:
    """Returns the state of a TCP connection, which the kernel knows also while nothing is read."""
    state: int = transport.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    return state


def connections(settings: Settings) -> Callable[..., HttpConnection]:
    """Returns the protocol factory for uvicorn."""
    return partial(HttpConnection, settings=settings)
