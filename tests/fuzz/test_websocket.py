"""Fuzzing of the WebSocket against the real service: messages, their order, and bytes that are no frames of it."""

from __future__ import annotations

import json
import socket as tcp
from typing import Any

from hypothesis import given, seed
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed

from service.status import STATUS
from service.testing.running import ServiceProcess
from tests.fuzz import media
from tests.fuzz.amount import SEED, examples, inputs
from tests.fuzz.growth import Growth
from tests.fuzz.wire import answer_to
from tests.integration.sockets import Socket, socket

_CLOSINGS = (1000, 1008, 1009, 1013)
_CODES = set(STATUS) - {"internal"}
_MOST_MESSAGES = 8
_PATIENCE_S = 60

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=5,
)
_box = st.lists(st.sampled_from([0, 1, 20, 40]) | st.floats(), min_size=4, max_size=4)
_OPTIONS: dict[str, st.SearchStrategy[Any]] = {
    "model": st.just("lite") | _json,
    "layout": st.sampled_from(["pa16", "coco17"]) | _json,
    "boxes": st.lists(_box, max_size=1) | _json,
    "max_people": st.sampled_from([1, 3]) | _json,
    "effort": st.sampled_from(["fast", "balanced", "best"]) | _json,
    "deadline_ms": st.just(500) | _json,
    "hop": st.sampled_from([1, 4]) | _json,
    "top_k": st.just(1) | _json,
    "people": st.sampled_from(["main", "all", "boxes"]) | _json,
    "smooth": st.booleans() | _json,
    "want_keypoints": st.booleans() | _json,
    "drop_policy": st.sampled_from(["latest", "lossless"]) | _json,
    "other": _json,
}


def _text(kind: str, rest: dict[str, Any]) -> str:
    return json.dumps({"type": kind, **rest})


def _frame(picture: bytes, frame_id: int, time_ns: int, size: tuple[int, int]) -> bytes:
    return frame_id.to_bytes(8) + time_ns.to_bytes(8, signed=True) + size[0].to_bytes(4) + size[1].to_bytes(4) + picture


_number = st.integers(0, 2**32 - 1)
_time = st.sampled_from([0, 10**8, 2 * 10**8, 3 * 10**8]) | st.integers(-(2**63), 2**63 - 1)
_encoded = st.builds(_frame, media.pictures(), _number, _time, st.just((0, 0)))
_raw = st.builds(_frame, st.just(bytes(24)), _number, _time, st.sampled_from([(4, 2), (2, 4), (0, 1)]))
_odd = st.builds(_frame, st.binary(max_size=30), st.integers(0, 2**64 - 1), _time, st.tuples(_number, _number))
_frames = st.one_of(_encoded, _encoded, _encoded, _raw, _odd, st.binary(max_size=30))
_tracked = st.fixed_dictionaries({"id": st.sampled_from([1, 2]) | _json, "box": _box})
_boxes = st.builds(_text, st.just("boxes"), st.fixed_dictionaries({"boxes": st.lists(_tracked, max_size=2) | _json}))
_controls = st.sampled_from([_text("flush", {}), _text("end", {}), _text("dance", {}), "no JSON", "[1]", ""])
_config = st.builds(_text, st.just("config"), st.fixed_dictionaries({}, optional=_OPTIONS))
_good_config = st.builds(_text, st.just("config"), st.sampled_from([{}, {"want_keypoints": True}, {"people": "boxes"}]))
_first = st.one_of(_good_config, _config, _config, _frames, _controls)
_rest = st.lists(st.one_of(_frames, _frames, _frames, _boxes, _controls, _config), max_size=_MOST_MESSAGES)
_ENDS = ("end", "end", "end", "close", "vanish")


def test_any_messages_are_answered_or_refused(service: ServiceProcess) -> None:
    count = inputs("websocket") * 3 // 4
    growth = Growth(service, count)

    @seed(SEED)
    @examples(count)
    @given(_first, _rest, st.sampled_from(_ENDS))
    def stream(first: str | bytes, rest: list[str | bytes], end: str) -> None:
        with socket(service) as opened:
            _send(opened, [first, *rest], end)
            if end == "end":
                last = {}
                for told in opened.rest():
                    last = told
                    assert told["event"] != "error" or told["code"] in _CODES, told
                assert opened.code in _CLOSINGS, last
                assert (opened.code == 1000) == (last["event"] == "end")
        growth.count()

    stream()
    growth.check("WebSocket")


def _send(opened: Socket, sent: list[str | bytes], end: str) -> None:
    """Sends all of this, as far as the service takes it."""
    try:
        for message in sent:
            opened.connection.send(message)
        if end == "end":
            opened.say("end")
        elif end == "vanish":
            opened.connection.socket.shutdown(tcp.SHUT_RDWR)
    except (ConnectionClosed, OSError):
        return  # the service has closed before


def _wire(first: int, length: int, has_mask: bool, body: bytes) -> bytes:
    """A frame of RFC 6455 that says to have this length."""
    head = bytes([first, (128 if has_mask else 0) | (length if length < 126 else 126 if length < 2**16 else 127)])
    head += length.to_bytes(2) if 126 <= length < 2**16 else length.to_bytes(8) if length >= 2**16 else b""
    return head + (bytes(4) if has_mask else b"") + body


_printed = st.text(st.characters(min_codepoint=32, max_codepoint=0xFF, exclude_categories=["Cc"]), max_size=20)
_HANDSHAKE = {
    "Host": "x",
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
}
# Without those of bodies: the service would wait for one before it answers.
_more = ("Origin", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "Expect")
_headers = st.dictionaries(
    st.sampled_from([*_HANDSHAKE, *_more]), st.sampled_from(["", "1", "permessage-deflate"]) | _printed
)
_handshakes = st.one_of(st.just({}), st.just({}), _headers).map(_HANDSHAKE.__or__)
_pieces = st.lists(
    st.binary(max_size=40)
    | st.builds(_wire, st.integers(0, 255), st.integers(0, 2**63), st.booleans(), st.binary(max_size=40))
    | st.binary(max_size=125).flatmap(
        lambda body: st.builds(
            _wire, st.sampled_from([0x81, 0x82, 0x88, 0x89]), st.just(len(body)), st.just(True), st.just(body)
        )
    ),
    max_size=4,
)


def test_any_handshake_and_any_bytes_after_it_end_the_connection(service: ServiceProcess) -> None:
    count = inputs("websocket") // 4
    growth = Growth(service, count)

    @seed(SEED)
    @examples(count)
    @given(_handshakes, _pieces)
    def send(headers: dict[str, str], pieces: list[bytes]) -> None:
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        with tcp.create_connection(("127.0.0.1", service.http_port), timeout=_PATIENCE_S) as connection:
            connection.sendall(f"GET /v1/stream HTTP/1.1\r\n{head}\r\n".encode("latin-1"))
            answer = connection.recv(2**16)
            assert headers != _HANDSHAKE or answer.startswith(b"HTTP/1.1 101")
            assert not answer.startswith(b"HTTP/1.1 5"), answer
            answer_to(connection, b"".join(pieces))
        growth.count()

    send()
    growth.check("bytes on a WebSocket")
