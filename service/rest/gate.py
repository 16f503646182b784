"""ASGI middleware: admission, limits of size and time for bodies and answers, and the end of a request that is left.

admission -> body (bounded, timed, inflated) -> the application -> answer (in pieces) -> rest of the body, discarded
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.errors import DeepharError, PayloadTooLarge, RequestTimeout, Unavailable
from service.rest import problems
from service.rest.content_encoding import Inflating, encoding_of
from service.rest.streamed import CutOff
from service.settings import Settings
from service.stopping import STOPPING, Stopping
from service.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

PIECE = 2**16  # bytes of an answer between two waits for its reader
UNFINISHED_S = 0.6  # for an answer that has begun when the service stops: an NDJSON stream ends with an error line

Place = Callable[[], AbstractContextManager[object]]


class Gate:
    """Admits requests and applies the limits to each.

    Args:
        app: The application behind it.
        settings: The limits.
        stopping: State of the shutdown.
        places: By path, the context of an admitted request. What it yields is the request's `state.place`; the context
            ends when the answer has been read.
        body_limit_of: Returns the largest body in bytes for a path.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        stopping: Stopping,
        places: dict[str, Place],
        body_limit_of: Callable[[str], int],
    ) -> None:
        self._app, self._settings, self._stopping = app, settings, stopping
        self._places, self._body_limit_of = places, body_limit_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "HEAD":  # the server sends the headers alone
            scope = {**scope, "method": "GET"}
        arrived_s = time.monotonic()
        exchange = Exchange(scope, receive, send, self._settings, self._body_limit_of(scope["path"]))
        enter = self._places.get(scope["path"], nullcontext) if scope["method"] == "POST" else nullcontext
        try:
            if (refusal := scope.get("state", {}).get("refusal")) is not None:
                raise refusal
            if enter is not nullcontext:
                self._stopping.refuse_if_begun()
            with enter() as place:
                scope.setdefault("state", {}).update(place=place, arrived_s=arrived_s)
                await exchange.run(self._app, self._stopping)
        except DeepharError as error:
            await exchange.refuse(error)
        except CutOff as error:  # the server closes the connection, since the answer is not whole
            log.warning("an answer that had begun was cut off: %s", error)


class Exchange:
    """One request and its answer, between the server and the application."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, settings: Settings, body_limit: int) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._settings, self._body_limit = settings, body_limit
        self._sent, self._unread_s = 0, 0.0
        self._body_read = asyncio.Event()
        self._left = asyncio.Event()
        self._received, self._waited_s = 0, 0.0
        self._started = self._answered = False
        self._linger_s = settings.linger_s  # for an unwanted body, so that its sender reads the answer first

    async def run(self, app: ASGIApp, stopping: Stopping) -> None:
        """Runs the application; cancels it when its caller leaves, or when the grace of a shutdown is over.

        Raises:
            PayloadTooLarge: The announced body is too large.
            UnsupportedMediaType: It has an encoding that is not taken.
            Unavailable: The service stops, and no answer has begun.
        """
        self._refuse_announced()
        encoding = encoding_of(self._scope["headers"])
        body = self.receive if encoding is None else Inflating(self.receive, encoding, self._body_limit)
        working = asyncio.current_task()
        assert working is not None

        def end() -> None:
            self._linger_s = UNFINISHED_S / 2
            asyncio.get_running_loop().call_later(UNFINISHED_S if self._started else 0.0, working.cancel)

        leaving = asyncio.create_task(self._end_when_caller_leaves(working))
        try:
            with stopping.ends(end):
                await app(self._scope, body, self.send)
        except asyncio.CancelledError:
            if stopping.over.is_set() and not self._started and not self._left.is_set():
                working.uncancel()
                raise Unavailable(STOPPING) from None
            if not self._left.is_set() and not stopping.over.is_set():
                raise
        finally:
            leaving.cancel()

    async def refuse(self, error: DeepharError) -> None:
        """Answers with the error, if no answer has begun."""
        if self._started:
            log.info("an answer that had begun was given up: %s", error)
        else:
            await problems.own_error(error)(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        """Returns the next message of the body; after it, waits for the caller to leave.

        Raises:
            RequestTimeout: The body came too slowly.
            PayloadTooLarge: It is larger than the limit.
        """
        if self._body_read.is_set():
            await self._left.wait()
            return {"type": "http.disconnect"}
        began = time.monotonic()
        timeout_s = self._settings.body_timeout_s
        limit_s = timeout_s + self._received / self._settings.min_rate - self._waited_s
        try:
            async with asyncio.timeout(min(limit_s, timeout_s)):
                message = await self._receive()
        except TimeoutError:
            raise RequestTimeout(
                f"the body came too slowly: {self._received} bytes in {self._waited_s + timeout_s:.0f} s; "
                "send a smaller file, or over a faster line"
            ) from None
        self._waited_s += time.monotonic() - began
        if message["type"] == "http.disconnect":
            self._caller_left()
            return message
        self._received += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._body_read.set()
            if self._received:
                METRICS.stage("read").observe(self._waited_s)
        if self._received > self._body_limit:
            raise self._too_large()
        return message

    async def send(self, message: Message) -> None:
        """Sends a message of the answer. Large bodies go in pieces, so that a slow reader costs time, not memory.

        Raises:
            RequestTimeout: The answer is read too slowly.
        """
        if message["type"] != "http.response.body":
            self._started = True
            if self._waits_to_send() and not self._body_read.is_set():
                # The body is left, and with it the connection: its next request would get no answer.
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await self._send(message)
            return
        body, last = message.get("body", b""), not message.get("more_body", False)
        view = memoryview(body)
        pieces = [view[start : start + PIECE] for start in range(0, len(view), PIECE)] or [view]
        for piece in pieces[:-1]:
            await self._send_piece(bytes(piece))
        if last and not self._body_read.is_set():
            await self._send_piece(bytes(pieces[-1]))
            await self._linger()
            pieces = [view[:0]]
        # Set before the last bytes go out: their reader may send the next request at once.
        self._answered = last
        await self._send_piece(bytes(pieces[-1]), more=not last)

    async def _send_piece(self, piece: bytes, more: bool = True) -> None:
        began = time.monotonic()
        limit_s = self._settings.write_timeout_s + self._sent / self._settings.min_rate - self._unread_s
        try:
            async with asyncio.timeout(limit_s):
                await self._send({"type": "http.response.body", "body": piece, "more_body": more})
        except TimeoutError:
            raise RequestTimeout("the answer is read too slowly; read it as it comes") from None
        self._sent += len(piece)
        self._unread_s += time.monotonic() - began

    def _waits_to_send(self) -> bool:
        """Returns whether the sender waits for 100 Continue before it sends the body."""
        return any(name == b"expect" for name, _ in self._scope["headers"])

    async def _linger(self) -> None:
        """Discards the rest of the body for a while: who still sends would lose the answer with the connection."""
        if self._waits_to_send():
            return
        discarded = 0
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._linger_s):
                while discarded < self._settings.linger_bytes:
                    message = await self._receive()
                    if message["type"] == "http.disconnect" or not message.get("more_body", False):
                        return
                    discarded += len(message["body"])

    async def _end_when_caller_leaves(self, working: asyncio.Task[object]) -> None:
        await self._body_read.wait()
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._answered:
            self._caller_left()
            working.cancel()

    def _caller_left(self) -> None:
        self._left.set()

    def _refuse_announced(self) -> None:
        """Raises `PayloadTooLarge` by the content-length, before any of the body is read."""
        for name, value in self._scope["headers"]:
            if name == b"content-length" and value.isdigit() and int(value[:20]) > self._body_limit:
                raise self._too_large()

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(
            f"the request's body is larger than the {self._body_limit} bytes that are taken here; send a smaller file"
        )
