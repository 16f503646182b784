"""ASGI middleware: headers that tell browsers what they may do with answers and pages."""

from __future__ import annotations

import base64
import hashlib
import re

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_ALWAYS = [(b"x-content-type-options", b"nosniff"), (b"referrer-policy", b"no-referrer")]
_OF_TLS = (b"strict-transport-security", b"max-age=31536000")
_PRIVATE = (b"cache-control", b"no-store")  # answers on pictures of people, and lists that change
_API = "/v1/"
_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_STARTS = ("http.response.start", "websocket.http.response.start")


def page_policy(app: FastAPI) -> str:
    """Returns the Content-Security-Policy under which `/docs` works: what that page loads, and nothing else."""
    page = get_swagger_ui_html(openapi_url=app.openapi_url or "", title=f"{app.title} - Swagger UI")
    (script,) = _SCRIPT.findall(bytes(page.body).decode())
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    library = "https://cdn.jsdelivr.net/npm/swagger-ui-dist@5/"
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'sha256-{digest}' {library}",
            f"style-src 'unsafe-inline' {library}",
            "img-src data: https://fastapi.tiangolo.com",
            "connect-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Adds the headers to each answer.

    Args:
        app: The application.
        policy: Content-Security-Policy of pages.
    """

    def __init__(self, app: ASGIApp, policy: str) -> None:
        self._app = app
        self._of_pages = [(b"content-security-policy", policy.encode()), (b"x-frame-options", b"DENY")]

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
            has_own = any(name == b"content-security-policy" for name, _ in headers)
            headers += self._of_pages[1:] if has_own else self._of_pages
        if scope["path"].startswith(_API):
            headers.append(_PRIVATE)
        if scope["scheme"] in ("https", "wss"):
            headers.append(_OF_TLS)
        return headers
