"""The reference of `WS /v1/stream`: of the models that read its texts, and of the events as the client knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields as fields_of
from typing import Any

from deephar.events import (
    ActionEvent,
    AtFrame,
    Flushed,
    FrameErrorEvent,
    PoseEvent,
    SegmentEvent,
    Started,
)
from grpc_reference import Proto
from schema_tables import fields, row

from service.rest.stream import HEADER, PATH

# The message in the proto that has the same fields, with comments.
EVENTS = {
    Started: "StreamStarted",
    PoseEvent: "PoseEvent",
    ActionEvent: "ActionEvent",
    SegmentEvent: "Segment",
    FrameErrorEvent: "FrameError",
    Flushed: "Flushed",
}
_TYPES = {
    "str": "text",
    "str | None": "text or null",
    "int": "whole number",
    "float": "number",
    "Layout": "[LayoutJson](rest.md#layoutjson)",
    "tuple[Person, ...]": "list of [PersonJson](rest.md#personjson)",
    "tuple[ActionScore, ...]": "list of [ActionJson](rest.md#actionjson)",
}
_ON_EACH = ("received_frames", "credits")
_REST_ONLY = {"time_s": "its media time in seconds", "effort_reason": "why it is not the one that was asked for"}


def websocket_page(document: dict[str, Any], proto: Proto) -> str:
    schemas = document["components"]["schemas"]
    lines = [
        "# WebSocket reference\n",
        f"Made of the models that read the messages of `WS {PATH}`, and of its events. By example, with the order of",
        "messages, credits and the codes of closing: [live streams](../api.md#live-streams).\n",
        "## What the caller sends\n",
        "Texts are JSON objects with a `type`; binary messages are frames.\n",
        "### config\n",
        'The first message: `{"type": "config", ...}` with these options.\n',
        *fields(schemas["StreamOptions"], "rest.md"),
        "\n### A frame\n",
        f"A binary message: a header of {HEADER.size} bytes in network byte order, then the picture.\n",
        "| bytes | field | type | meaning |",
        "|---|---|---|---|",
        "| 0 to 7 | `frame_id` | uint64 | the caller's |",
        f"| 8 to 15 | `timestamp_ns` | int64 | {proto.field_comments('Frame')['timestamp_ns']} |",
        "| 16 to 19 | `width` | uint32 | of raw RGB; 0 before an encoded picture |",
        "| 20 to 23 | `height` | uint32 | the same |",
        "\n### boxes\n",
        '`{"type": "boxes", "boxes": [...]}`: the people in the next frame, with `"people": "boxes"`.\n',
        *fields(schemas["TrackedBoxOption"]),
        "\n### flush\n",
        '`{"type": "flush"}`: has all before it answered for good; answered by `flushed`.\n',
        "### end\n",
        '`{"type": "end"}`: no frame follows; answered by `end` when everything is answered.\n',
        "## What the service sends\n",
        "JSON texts with an `event`. Each has these fields:\n",
        *_each(proto),
        "\nAll but `started`, `credits`, `end` and `error` have these as well:\n",
        *_table(AtFrame, proto.field_comments("StreamVideoResponse")),
    ]
    for event, message in EVENTS.items():
        about = (event.__doc__ or "").splitlines()[0]
        lines += [f"\n### The event {event.event}\n", about, *_own_table(event, proto.field_comments(message))]
    lines += [
        "\n### The event credits\n",
        "There is room for more frames, and no other event to say so with.",
        "\n### The event end\n",
        "Everything is answered; the service closes with 1000.",
        "\n### The event error\n",
        "The fields of a [Problem](rest.md#problem); the service closes with a code of its own.\n",
    ]
    return "\n".join(lines)


def _each(proto: Proto) -> Iterator[str]:
    comments = proto.field_comments("StreamVideoResponse")
    yield from ("| field | type | meaning |", "|---|---|---|", "| `event` | text | its name |")
    meanings = {**comments, "credits": comments["credits"]}
    for name in _ON_EACH:
        yield row(f"`{name}`", "whole number", meanings[name])


def _own_table(event: type[Any], comments: dict[str, str]) -> Iterator[str]:
    if any(True for _ in _own_fields(event)):
        yield ""
        yield from _table(event, comments)


def _own_fields(event: type[Any]) -> Iterator[Any]:
    of_all = {field.name for field in fields_of(AtFrame)} if event is not AtFrame else set()
    return (field for field in fields_of(event) if field.name not in of_all)


def _table(event: type[Any], comments: dict[str, str]) -> Iterator[str]:
    yield from ("| field | type | meaning |", "|---|---|---|")
    for field in _own_fields(event):
        meaning = comments.get(field.name) or _REST_ONLY.get(field.name, "")
        yield row(f"`{field.name}`", _TYPES[str(field.type)], meaning)
