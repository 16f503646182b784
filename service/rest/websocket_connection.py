"""WebSocket connections: uvicorn's, which tell when their peer has left, and what the application never sees."""

from __future__ import annotations

import asyncio
from asyncio.events import TimerHandle
from contextvars import copy_context
from http import HTTPStatus
from typing import Any

from uvicorn._types import ASGISendEvent
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import Frame
from websockets.http11 import Request, Response
from websockets.protocol import State

from service.rest.connection import CLOSED, CLOSED_BY_PEER, tcp_state
from service.telemetry.observation import begun, ended
from service.telemetry.request import OTHER_ROUTE

LOOK_S = 0.25  # between two looks at whether the peer has left
_NO_UTF8 = 1007  # closing code of RFC 6455


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
            if self.conn.state is State.OPEN:  # the peer's own closing may have come together with it
                self.conn.send_close(_NO_UTF8)
                self.handle_parser_exception()
            return
        super().send_receive_event_to_app()

    def shutdown(self) -> None:
        if not self.handshake_complete or self.close_sent:
            super().shutdown()

    def _look(self) -> None:
        if tcp_state(self.transport) in (CLOSED, CLOSED_BY_PEER):
            self._left.set()
        self._look_timer = self.loop.call_later(LOOK_S, self._look)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
