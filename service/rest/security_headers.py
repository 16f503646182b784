"""ASGI middleware: headers that tell browsers what they may do with answers and pages."""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_OF_TLS = (b"strict-transport-security", b"max-age=31536000")
_PRIVATE = (b"cache-control", b"no-store")  # answers on pictures of people, and lists that change
_UNFRAMED = (b"x-frame-options", b"DENY")  # pages
_API = "/v1/"
_STARTS = ("http.response.start", "websocket.http.response.start")


class SecurityHeaders:
    """Adds the headers to each answer. Pages bring a Content-Security-Policy of their own."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] in _STARTS:
                message = {**message, "headers": self._extended(scope, list(message.get("headers", ())))}
            await send(message)

        await self._app(scope, receive, with_headers)

    def _extended(self, scope: Scope, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        is_page = any(name == b"content-type" and value.startswith(b"text/html") for name, value in headers)
        headers += _ALWAYS
        if is_page:
            headers.append(_UNFRAMED)
        if scope["path"].startswith(_API):
            headers.append(_PRIVATE)
        if scope["scheme"] in ("https", "wss"):
            headers.append(_OF_TLS)
        return headers
