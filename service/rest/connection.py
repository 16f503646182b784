"""One HTTP connection: uvicorn's, with limits on what a peer can make it hold and for how long."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio.events import TimerHandle
from collections.abc import Callable
from functools import partial
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.errors import DeepharError, HeadersTooLarge, InvalidArgument, RequestTimeout
from service.rest import problems
from service.settings import Settings

SEND_BUFFER = 2**18  # of the kernel: with its own, of megabytes, a slow reader looks like none for a long time


class HttpConnection(HttpToolsProtocol):
    """uvicorn bounds neither headers nor the time for them, nor the time in which an answer must be read.

    httptools itself appends a header that comes in parts to what it has, over and over: a header of 400 MB would hold
    the event loop for minutes.
    """

    def __init__(self, *args: Any, settings: Settings, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._settings = settings
        self._awaits_request = True  # no headers are complete since the connection or the last answer
        self._header_bytes = 0  # that have come since there was progress: complete headers, or a piece of the body
        self._refused = False
        self._answering: RequestResponseCycle | None = None  # while a further request waits for it to end
        self._header_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        # The last of an answer is in the kernel's hands: a peer that does not take it must not keep the socket.
        with contextlib.suppress(OSError, AttributeError):
            milliseconds = round(1e3 * self._settings.write_timeout_s)
            peer = transport.get_extra_info("socket")
            peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._start_header_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        if self.pipeline and self._answering is not None:  # uvicorn tells only the newest
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

    def on_headers_complete(self) -> None:
        if self._refused:
            return
        if self.pipeline:
            # One request may come before the answer to that before it is complete: an honest client that has read all
            # of an answer can be faster than we are. Who sends more of them sends them again on another connection.
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
        own_body = not self.pipeline  # of the request that was answered: a later one comes after its end
        super().on_response_complete()
        if own_body and self.cycle.more_body and not self.transport.is_closing():
            self.transport.close()  # the rest of the body was waited for long enough

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
        for timer in (self._header_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        self._header_timer = self._write_timer = None

    def _headers_are_late(self) -> None:
        self._header_timer = None
        if self.transport.is_closing() or not self._awaits_request:
            return
        if self._header_bytes:
            self._refuse(RequestTimeout(f"the request's headers took over {self._settings.header_timeout_s:g} s"))
        else:
            self.transport.close()

    def _too_large(self) -> DeepharError:
        limit = self._settings.max_header_bytes
        return HeadersTooLarge(f"the request's address and headers have over {limit} bytes; send options in a form")

    def _refuse(self, error: DeepharError, status: int | None = None) -> None:
        """Answers before there is a request, and ends the connection."""
        self._refused = True
        if self._is_answering():
            # Nothing may come in between, and who writes the answer must learn that it is over before it writes on.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            self.transport.close()
            return
        answer = problems.own_error(error)
        head = [STATUS_LINE[status or answer.status_code]]
        head += [name + b": " + value + b"\r\n" for name, value in answer.raw_headers]
        self.transport.write(b"".join([*head, b"connection: close\r\n\r\n", bytes(answer.body)]))
        self.transport.close()


def connections(settings: Settings) -> Callable[..., HttpConnection]:
    """What uvicorn makes of each connection that it accepts."""
    return partial(HttpConnection, settings=settings)
