"""`WS /v1/stream`: a live video over a WebSocket, in browsers too.

The first message is a text with the config. Frames are binary messages: a header, then the picture. Further texts are
`boxes` (of the next frame), `flush` and `end`. Events come back as JSON texts.
"""

from __future__ import annotations

import asyncio
import json
import logging
import struct
from contextlib import aclosing
from typing import Any, TypeAlias

from fastapi import APIRouter, WebSocket
from starlette.types import Message
from starlette.websockets import WebSocketDisconnect

from service.errors import DeepharError, InvalidArgument, RequestTimeout, Unavailable, quoted
from service.networks.urgency import Latency, become
from service.pipeline.answers import TakenEvent
from service.pipeline.live import live
from service.pipeline.options import StreamOptions, TrackedBoxes
from service.pipeline.pipeline import Pipeline
from service.rest import problems
from service.rest.access import SUBPROTOCOL
from service.rest.schemas import event_json, started_json
from service.stopping import STOPPING, Stopping
from service.telemetry.metrics import METRICS
from service.video.frame import BadFrame, Flush, Frame, TrackedBox
from service.video.inbox import Credits, Inbox
from service.video.received import FrameLimits, Sent, received

log = logging.getLogger(__name__)

PATH = "/v1/stream"
# frame_id (uint64), timestamp_ns (int64), width and height (uint32) of raw RGB; both 0 before an encoded picture.
HEADER = struct.Struct(">QqII")
LAST_WORDS_S = 5.0  # for an error and the closing
_CLOSE_CODES = {"payload_too_large": 1009, "internal": 1011, "overloaded": 1013, "unavailable": 1013}
_REFUSED = 1008

_Json: TypeAlias = dict[str, Any]


def routes(pipeline: Pipeline, stopping: Stopping) -> APIRouter:
    router = APIRouter()

    @router.websocket(PATH)
    async def stream(socket: WebSocket) -> None:
        try:
            # Refused before it is accepted: a message of an accepted socket may be buffered whole.
            stopping.refuse_if_begun()
            with pipeline.streams.enter():
                await socket.accept(SUBPROTOCOL if SUBPROTOCOL in socket.scope["subprotocols"] else None)
                await StreamSocket(socket, pipeline, stopping).serve()
        except DeepharError as error:
            await socket.send_denial_response(problems.own_error(error))

    return router


class StreamSocket:
    """One stream, from its config to its end."""

    def __init__(self, socket: WebSocket, pipeline: Pipeline, stopping: Stopping) -> None:
        self._socket, self._pipeline, self._stopping = socket, pipeline, stopping
        self._settings = pipeline.settings
        self._told = Credits(0, 0)
        self._boxes: tuple[TrackedBox, ...] = ()  # of the next frame
        self._left: asyncio.Event = socket.state.left
        self._working: asyncio.Task[object] | None = None

    async def serve(self) -> None:
        """Answers the stream; returns when it has ended or its caller has left."""
        self._working = working = asyncio.current_task()
        assert working is not None
        leaving = asyncio.create_task(self._end_when_left())
        code = 1000
        error: Exception | None = None
        try:
            with self._stopping.ends(self._end_now):
                await self._follow()
        except asyncio.CancelledError:
            if not self._left.is_set() and not self._stopping.over.is_set():
                raise
            working.uncancel()
            error = Unavailable(STOPPING)
        except WebSocketDisconnect:  # also where the connection ended by an error of its protocol
            self._left.set()
        except Exception as raised:
            error = raised
        finally:
            leaving.cancel()
        if self._left.is_set():
            return
        if error is not None:
            if not isinstance(error, DeepharError):
                log.error("a stream failed", exc_info=error)
            known = error if isinstance(error, DeepharError) else problems.internal()
            code = _CLOSE_CODES.get(known.code, _REFUSED)
        try:
            async with asyncio.timeout(LAST_WORDS_S):
                if error is not None:
                    await self._send({"event": "error", **problems.problem_of(known).model_dump()}, self._told)
                await self._socket.close(code)
        except (DeepharError, TimeoutError, WebSocketDisconnect, RuntimeError):
            log.info("a stream was given up: its answers are not read")

    async def _follow(self) -> None:
        become(Latency.LIVE)
        config = await self._message(self._settings.header_timeout_s, "config")
        kind, sent = self._parsed(config.get("text"))
        if kind != "config":
            raise InvalidArgument('the first message of a stream must be a text: {"type": "config", ...}')
        options = StreamOptions.of(sent)
        async with live(self._pipeline, options, self._receive, self._stopping.begun) as (stream, inbox):
            await self._send(started_json(stream.plan), inbox.credits)
            crediting = asyncio.create_task(self._tell_credits(inbox))
            try:
                async with aclosing(stream.events()) as events:
                    async for event in events:
                        if not isinstance(event, TakenEvent):  # `_tell_credits` sends the credits of such a frame
                            with METRICS.stage("encode").time():
                                document = event_json(event)
                            await self._send(document, inbox.credits)
            finally:
                crediting.cancel()
                await asyncio.wait([crediting])
            inbox.raise_reason()
            await self._send({"event": "end"}, inbox.credits)

    async def _receive(self, inbox: Inbox) -> None:
        """Fills the queue until the sender's `end`; after it, waits for the caller to leave."""
        try:
            while True:
                message = await self._message(self._settings.stream_idle_s, "frame")
                if (data := message.get("bytes")) is not None:
                    await inbox.put(self._frame(data))
                    continue
                kind, sent = self._parsed(message.get("text"))
                match kind:
                    case "boxes":
                        self._boxes = TrackedBoxes.of(sent).as_tracked()
                    case "flush":
                        await inbox.put(Flush())
                    case "end":
                        await inbox.end()
                        await self._wait_for_leave()
                    case _:
                        raise InvalidArgument(f"there is no message {quoted(kind)}; there are boxes, flush and end")
        except WebSocketDisconnect:
            self._left.set()

    async def _end_when_left(self) -> None:
        await self._left.wait()
        self._end_now()

    def _end_now(self) -> None:
        assert self._working is not None
        self._working.cancel()

    async def _wait_for_leave(self) -> None:
        while True:
            await self._message(None, "")

    def _frame(self, message: bytes) -> Frame | BadFrame:
        """Returns the frame in a binary message; one that cannot be used, with the reason."""
        boxes, self._boxes = self._boxes, ()
        if len(message) < HEADER.size:
            return BadFrame(InvalidArgument(f"a frame begins with a header of {HEADER.size} bytes; send it"), 0, 0)
        frame_id, time_ns, width, height = HEADER.unpack_from(message)
        size = (width, height) if width or height else None
        picture = memoryview(message)[HEADER.size :]
        limits = FrameLimits(self._settings.max_image_bytes, self._settings.max_image_pixels)
        return received(Sent(picture, size, frame_id, time_ns, boxes), limits)

    async def _message(self, seconds: float | None, what: str) -> Message:
        """Returns the next message.

        Raises:
            RequestTimeout: None came in time.
            WebSocketDisconnect: The caller has left.
        """
        try:
            async with asyncio.timeout(seconds):
                message = await self._socket.receive()
        except TimeoutError:
            raise RequestTimeout(f"no {what} came within {seconds:g} s; send it sooner") from None
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1005))
        return message

    async def _tell_credits(self, inbox: Inbox) -> None:
        """Tells of room as soon as there is more than the sender knows of: not every frame has an event."""
        try:
            while True:
                credits_now = await inbox.more_room(self._told)
                await self._send({"event": "credits"}, credits_now)
        except DeepharError as error:
            await inbox.end(error)
        except (WebSocketDisconnect, RuntimeError):
            self._left.set()

    async def _send(self, event: _Json, credits_now: Credits) -> None:
        """Sends an event.

        Raises:
            RequestTimeout: Its reader is too slow.
        """
        self._told = credits_now
        text = json.dumps({**event, "received_frames": credits_now.received, "credits": credits_now.free})
        timeout_s = self._settings.write_timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._socket.send_text(text)
        except TimeoutError:
            raise RequestTimeout(f"no answer was read for {timeout_s:g} s; read them as they come") from None

    def _parsed(self, text: str | None) -> tuple[str, _Json]:
        """Returns the type of a text message, and the rest of it.

        Raises:
            InvalidArgument: It is no JSON object with a type.
        """
        most = self._settings.max_text_bytes
        if text is not None and len(text) <= most and len(text.encode()) <= most:
            try:
                document = json.loads(text)
            except (ValueError, RecursionError):
                document = None
            if isinstance(document, dict) and isinstance(document.get("type"), str):
                return document.pop("type"), document
        raise InvalidArgument(f'a text message must be JSON {{"type": ...}} of at most {most} bytes')
