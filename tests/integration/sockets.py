"""A plain WebSocket client of `WS /v1/stream`."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from deephar.v1 import inference_pb2 as pb
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from service.testing.running import ServiceProcess

Event = dict[str, Any]


def message(frame: pb.Frame) -> bytes:
    """The binary message of a frame, as docs/api.md describes it."""
    raw = frame.raw
    head = struct.pack(">QqII", frame.frame_id, frame.timestamp_ns, raw.width, raw.height)
    return head + (raw.rgb if frame.WhichOneof("picture") == "raw" else frame.encoded)


class Socket:
    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    def say(self, kind: str, **rest: object) -> None:
        self.connection.send(json.dumps({"type": kind, **rest}))

    def send(self, frames: Iterable[pb.Frame]) -> None:
        for frame in frames:
            self.connection.send(message(frame))

    def next(self) -> Event:
        event: Event = json.loads(self.connection.recv(timeout=60))
        return event

    def until(self, kind: str) -> Event:
        """The next event of a kind."""
        while (event := self.next())["event"] != kind:
            assert event["event"] != "error", event
        return event

    def rest(self) -> list[Event]:
        """All events until the service closes."""
        events: list[Event] = []
        try:
            while True:
                events.append(self.next())
        except ConnectionClosed:
            return events

    @property
    def code(self) -> int | None:
        return self.connection.close_code


@contextmanager
def socket(service: ServiceProcess, **headers: str) -> Iterator[Socket]:
    url = f"ws://127.0.0.1:{service.http_port}/v1/stream"
    with connect(url, max_size=None, additional_headers=headers) as connection:
        yield Socket(connection)
