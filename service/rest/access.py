"""ASGI middleware: keys and tokens, limits of each caller, and the origins of WebSockets."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import ExitStack

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.access.access import Access, Credentials
from service.access.limits import Kind
from service.errors import DeepharError, PermissionDenied
from service.rest import docs, page, problems

# Health, and pages that hold nothing of this service in particular: a browser could not send a key for them.
OPEN = frozenset(("/healthz", "/readyz", "/openapi.json", *docs.PATHS, *page.PATHS))
SUBPROTOCOL = "deephar"  # of WebSockets of browsers, which can set no headers
_KEY_PROTOCOL = "deephar.key."
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


class CallerAccess:
    """Lets callers in by their key or token, before anything of their body is read.

    Args:
        app: The gate, which answers refused requests.
        access: Who may come in.
        kinds: What a path counts as; others have no limits of the caller.
        origins: Of pages that may open WebSockets besides the service's own; `*`: any.
    """

    def __init__(self, app: ASGIApp, access: Access, kinds: Mapping[str, Kind], origins: Collection[str]) -> None:
        self._app, self._access, self._kinds, self._origins = app, access, kinds, origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # A route's pattern matches also before a line break at the end of a path, where no other comparison does.
        scope = {**scope, "path": _CONTROL.sub(_quoted, scope["path"])}
        with ExitStack() as work:
            try:
                await self._enter(scope, work)
            except DeepharError as error:
                if scope["type"] == "websocket":
                    await problems.own_error(error)(scope, receive, send)
                    return
                scope["state"] = {**scope.get("state", {}), "refusal": error}
            await self._app(scope, receive, send)

    async def _enter(self, scope: Scope, work: ExitStack) -> None:
        """Lets a caller in; the work is ended by who called this.

        Raises:
            DeepharError: The caller may not come in, or has too much in work.
        """
        headers, is_socket = Headers(scope=scope), scope["type"] == "websocket"
        if is_socket and not self._is_welcome(headers):
            error = PermissionDenied("pages of this origin may not open WebSockets here; see DEEPHAR_CORS_ORIGINS")
            self._access.tell_refused(error)
            raise error
        if self._access.is_open or scope["path"] in OPEN:
            return
        caller = await self._access.authenticate(_credentials(headers, scope.get("subprotocols", ())))
        kind = self._kinds.get(scope["path"])
        if kind is not None and (is_socket or scope["method"] == "POST"):
            work.enter_context(caller.enter(kind))

    def _is_welcome(self, headers: Headers) -> bool:
        """Returns whether a page may use the service: browsers let any page open any WebSocket."""
        origin = headers.get("origin")
        if origin is None or "*" in self._origins or origin in self._origins:
            return True
        return origin.partition("://")[2] == headers.get("host")


def _quoted(character: re.Match[str]) -> str:
    return f"%{ord(character[0]):02X}"


def _credentials(headers: Headers, subprotocols: Collection[str]) -> Credentials:
    keys = [name.removeprefix(_KEY_PROTOCOL) for name in subprotocols if name.startswith(_KEY_PROTOCOL)]
    return Credentials(headers.get("authorization"), headers.get("x-api-key", keys[0] if keys else None))
