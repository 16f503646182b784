"""What reads requests - of REST, of a WebSocket and of gRPC - as functions of any bytes.

The gateway is whole, but for the networks: they are a fake's.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import AsyncExitStack, aclosing
from typing import Any

from deephar.v1 import inference_pb2 as pb
from google.protobuf.message import Message

from service.access.access import Access
from service.errors import DeepharError
from service.rest.app import build_app
from service.rpc.calls import Requests
from service.rpc.servicer import InferenceServicer
from service.settings import Settings
from tests.fuzz.records import BINARY, LEAVE, records_of
from tests.unit.parts import Gateway, gateway

_PATIENCE_S = 8.0  # a call that has not ended by then hangs
_PATHS = {b"pose": "/v1/pose", b"actions": "/v1/actions"}
_CODES = {
    "invalid_argument", "invalid_image", "invalid_video", "unsupported_media_type", "payload_too_large",
    "not_acceptable", "request_timeout", "unknown_model", "overloaded", "deadline_exceeded", "not_found",
}  # fmt: skip


class Transports:
    """A gateway that is asked one thing after the other, and must be empty after each.

    Each way of asking returns whether there was an answer and not a refusal.
    """

    def __init__(self) -> None:
        self._runner, self._open = asyncio.Runner(), AsyncExitStack()
        self._gateway: Gateway = self._runner.run(self._open.enter_async_context(gateway(max_image_pixels=2_000_000)))
        parts = self._gateway
        self._app = build_app(parts.pipeline, parts.readiness, parts.stopping, Access(parts.pipeline.settings))
        self._servicer = InferenceServicer(parts.pipeline, parts.stopping)

    def bodies(self, data: bytes) -> bool:
        """Posts a body: a line with `pose` or `actions` and a query, header lines, an empty line, the body."""
        return self._runner.run(self._within(self._post(data)))

    def frames(self, data: bytes) -> bool:
        """Sends a WebSocket the messages in these records."""
        return self._runner.run(self._within(self._stream(data)))

    def messages(self, data: bytes) -> bool:
        """Calls a method, by the first byte, with the messages in these records."""
        return self._runner.run(self._within(self._call(data)))

    async def _within(self, work: Awaitable[bool]) -> bool:
        async with asyncio.timeout(_PATIENCE_S):
            answered = await work
        pipeline = self._gateway.pipeline
        assert (pipeline.requests.inside, pipeline.streams.inside, pipeline.video_pixels.inside) == (0, 0, 0)
        assert pipeline.pixels.taken == 0
        self._gateway.server.calls.clear()
        return answered

    async def _post(self, data: bytes) -> bool:
        head, _, body = data.partition(b"\n\n")
        first, *lines = head.split(b"\n")
        path, _, query = first.partition(b"?")
        pairs = (line.partition(b":") for line in lines)
        headers = [(name.strip().lower(), value.strip()) for name, _, value in pairs]
        middle = len(body) // 2
        parts = iter([(body[:middle], True), (body[middle:], False)])
        scope = self._scope("http", _PATHS.get(path, "/v1/pose"), query, headers)
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            part = next(parts, None)
            if part is None:
                await asyncio.sleep(_PATIENCE_S)
                return {"type": "http.disconnect"}
            return {"type": "http.request", "body": part[0], "more_body": part[1]}

        async def send(message: Any) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        status = sent[0]["status"]
        answer = b"".join(message["body"] for message in sent[1:])
        if status != 200:
            code = json.loads(answer)["code"]
            assert 400 <= status < 500 or status == 504, (status, answer)
            assert code in _CODES, answer
        return bool(status == 200)

    async def _stream(self, data: bytes) -> bool:
        scope = self._scope("websocket", "/v1/stream", b"", []) | {"state": {"left": asyncio.Event()}}
        received = self._received(data)
        sent: list[dict[str, Any]] = []
        left = asyncio.Event()

        async def receive() -> dict[str, Any]:
            message = next(received, None)
            if message is None:
                await left.wait()
                return {"type": "websocket.disconnect", "code": 1000}
            return message

        async def send(message: Any) -> None:
            sent.append(message)
            if message["type"] == "websocket.close":
                left.set()

        await self._app(scope, receive, send)
        events = [json.loads(message["text"]) for message in sent if "text" in message]
        for event in events:
            assert event["event"] != "error" or event["code"] in _CODES, event
        return bool(events and events[-1]["event"] == "end")

    def _received(self, data: bytes) -> Iterator[dict[str, Any]]:
        yield {"type": "websocket.connect"}
        for kind, record in records_of(data):
            if kind == LEAVE:
                yield {"type": "websocket.disconnect", "code": 1001}
                return
            if kind == BINARY:
                yield {"type": "websocket.receive", "bytes": record}
            else:
                yield {"type": "websocket.receive", "text": record.decode("utf-8", "replace")}
        yield {"type": "websocket.receive", "text": '{"type": "end"}'}

    async def _call(self, data: bytes) -> bool:
        method, sent = (data[0] % 4 if data else 0), [record for _, record in records_of(data[1:])]
        context = _Context()
        try:
            match method:
                case 0:
                    _sendable(await self._servicer.list_models(_requests(pb.ListModelsRequest, sent), context))
                case 1:
                    _sendable(await self._servicer.estimate_pose(_requests(pb.EstimatePoseRequest, sent), context))
                case 2:
                    _sendable(await self._servicer.classify_clip(_requests(pb.StreamVideoRequest, sent), context))
                case _:
                    requests = _requests(pb.StreamVideoRequest, sent)
                    async with aclosing(self._servicer.stream_video(requests, context)) as events:
                        async for event in events:
                            _sendable(event)
        except DeepharError as error:
            _check(error)
            return False
        return True

    def _scope(self, kind: str, path: str, query: bytes, headers: list[tuple[bytes, bytes]]) -> dict[str, Any]:
        return {
            "type": kind,
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "root_path": "",
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 8080),
            "state": {},
            "extensions": {},
            "subprotocols": [],
        }


class _Context:
    """A call without a deadline."""

    def time_remaining(self) -> None:
        return None


def _requests(kind: type[Any], sent: list[bytes]) -> Requests[Any]:
    async def received() -> AsyncIterator[bytes]:
        for data in sent:
            yield data

    return Requests(kind, received(), Settings().max_message_fields)


def _check(error: DeepharError) -> None:
    assert error.code in _CODES, error


def _sendable(answer: Message) -> None:
    type(answer).FromString(answer.SerializeToString())
