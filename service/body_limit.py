"""ASGI middleware: stops reading a request whose body grows over a limit, whatever its Content-Length said."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import PayloadTooLarge


class BodyLimit:
    """Raises `PayloadTooLarge` where the body is read; the application's error handler answers."""

    def __init__(self, app: ASGIApp, limit_of: Callable[[str], int]) -> None:
        self._app, self._limit_of = app, limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit, received = self._limit_of(scope["path"]), 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > limit:
                    raise PayloadTooLarge(f"the request's body is larger than the {limit} bytes that are taken here")
            return message

        await self._app(scope, counted, send)
