"""ASGI middleware around all others: the id, the count and the access line of each request and each WebSocket."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.rest import problems
from service.telemetry.observation import LEFT, begun, ended
from service.telemetry.request import OTHER_ROUTE, ObservedRequest

HEADER = b"x-request-id"
_TRACEPARENT = b"traceparent"
# What the end of a WebSocket says, as a status of HTTP: its close code is the caller's or ours.
_STATUS_OF_CLOSE = {1000: "101", 1008: "422", 1009: "413", 1013: "503"}
_ENDED_BY_CALLER = (1000, 1001)


class Routes:
    """The paths that the application has. What a caller asks for beside them is one route, `other`."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths = {path for path in paths if "{" not in path}
        self._patterns = [(compile_path(path)[0], path) for path in paths if "{" in path]

    def of(self, path: str) -> str:
        if path in self._paths:
            return path
        return next((name for pattern, name in self._patterns if pattern.match(path)), OTHER_ROUTE)


class Observed:
    """Observes each request and each WebSocket.

    Args:
        app: The whole application, so that its own answer to an unforeseen error is seen as well.
        paths: Those of its routes.
    """

    def __init__(self, app: ASGIApp, paths: Iterable[str]) -> None:
        self._app, self._routes = app, Routes(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = request_of(scope, self._routes)
        exchange = (_Http if scope["type"] == "http" else _WebSocket)(request, receive, send)
        unanswered = LEFT
        try:
            await self._app(scope, exchange.receive, exchange.send)
            if exchange.has_begun:  # and has no code: it was cut off
                unanswered = "500"
        except Exception:
            if exchange.code is None:
                unanswered = "500"
                raise
            # Otherwise the application has answered, and logged the error.
        finally:
            ended(request, exchange.code or unanswered)


def request_of(scope: Scope, routes: Routes) -> ObservedRequest:
    """Returns the request of a scope, which begins with this."""
    sent_id = traceparent = None
    for name, value in scope["headers"]:
        if name == HEADER:
            sent_id = value.decode("latin-1")
        elif name == _TRACEPARENT:
            traceparent = value.decode("latin-1")
    is_http = scope["type"] == "http"
    transport, method = ("rest", scope["method"]) if is_http else ("websocket", "")
    return begun(transport, routes.of(scope["path"]), method, sent_id, traceparent)


class _Http:
    """The messages of one request and its answer, which pass unchanged but for the header."""

    def __init__(self, request: ObservedRequest, receive: Receive, send: Send) -> None:
        self._request, self._receive, self._send = request, receive, send
        self._status = ""
        self.code: str | None = None  # of a complete answer, or of a caller who left before

    @property
    def has_begun(self) -> bool:
        return bool(self._status)

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.request":
            self._request.bytes_in += len(message.get("body", b""))
        elif self.code is None:
            self.code = LEFT
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = str(message["status"])
            message = _with_id(message, self._request)
        elif message["type"] == "http.response.body":
            self._request.bytes_out += len(message.get("body", b""))
            if self.code is None and not message.get("more_body", False):
                self.code = self._status
        await self._send(message)


class _WebSocket:
    """The messages of one WebSocket. One that is refused gets an answer with the reason."""

    def __init__(self, request: ObservedRequest, receive: Receive, send: Send) -> None:
        self._request, self._receive, self._send = request, receive, send
        self._accepted = self.has_begun = False
        self.code: str | None = None  # of a refusal, or of its end

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "websocket.receive":
            self._request.bytes_in += len(message.get("bytes") or message.get("text") or "")
        elif message["type"] == "websocket.disconnect" and self._accepted and self.code is None:
            self.code = "101" if message.get("code") in _ENDED_BY_CALLER else LEFT
        return message

    async def send(self, message: Message) -> None:
        match message["type"]:
            case "websocket.accept":
                self._accepted, message = True, _with_id(message, self._request)
            case "websocket.send":
                self._request.bytes_out += len(message.get("bytes") or message.get("text") or "")
            case "websocket.http.response.start":
                self.code, message = str(message["status"]), _with_id(message, self._request)
            case "websocket.close" if not self._accepted:
                await self._refuse()
                return
            case "websocket.close":
                self.code = _STATUS_OF_CLOSE.get(message.get("code", 1000), "500")
        await self._send(message)

    async def _refuse(self) -> None:
        answer = problems.problem(403, "Forbidden", "this WebSocket is not served here; see /docs", "permission_denied")
        await answer({"type": "websocket", "extensions": {"websocket.http.response": {}}}, self._receive, self.send)


def _with_id(message: Message, request: ObservedRequest) -> Message:
    return {**message, "headers": [*message.get("headers", ()), (HEADER, request.id.encode("ascii"))]}
