"""Services newer and older than the client: unknown fields, events and values of enums are ignored.

The newer service is a real gRPC server whose messages are written by hand, byte by byte, where our stubs have no name.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler
from typing import Any

import grpc
import pytest
from deephar import Client, Frame
from deephar.events import Flushed, PoseEvent, Started
from deephar.v1 import inference_pb2 as pb

from tests.http_serving import serving_http

SERVICE = "deephar.v1.InferenceService"
OF_2030 = b"\xa2\x3e\x03abc"  # field 996, three bytes: unknown to everybody here
NUMBER_OF_2030 = b"\xa8\x3e\x07"  # field 997, a number


def person() -> bytes:
    point = pb.Keypoint(name="head", x=1, y=2, score=0.5).SerializeToString() + OF_2030
    lacking = pb.Keypoint(name="tail").SerializeToString()
    message = pb.Person(box=pb.Box(x=1, y=2, width=3, height=4), score=0.5, id=1).SerializeToString()
    keypoints = b"".join(b"\x1a" + bytes([len(each)]) + each for each in (point, lacking))  # field 3
    return message + keypoints + NUMBER_OF_2030


def people(field: int) -> bytes:
    one = person()
    return bytes([field << 3 | 2, len(one)]) + one


def pose(_: bytes, __: Any) -> bytes:
    effort = b"\x40\x63"  # 99, of an enum that has grown
    answer = pb.EstimatePoseResponse(model="m", layout=pb.Layout(name="l", units=pb.Units(x=pb.UNIT_PX)))
    return answer.SerializeToString() + effort + people(6) + OF_2030


def stream(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
    started = pb.StreamStarted(model="m", clip_frames=16, sample_interval_s=0.1).SerializeToString() + OF_2030
    credit = pb.StreamVideoResponse(credits=8).SerializeToString()
    yield b"\x62" + bytes([len(started)]) + started + credit
    for number, request in enumerate(requests):
        if pb.StreamVideoRequest.FromString(request).HasField("frame"):
            at = pb.StreamVideoResponse(frame_id=number - 1, timestamp_ns=(number - 1) * 10**9, received_frames=number)
            yield at.SerializeToString() + credit + OF_2030  # an event of 2030
            event = people(1) + OF_2030
            yield at.SerializeToString() + credit + b"\x2a" + bytes([len(event)]) + event
    yield pb.StreamVideoResponse(flushed=pb.Flushed()).SerializeToString()


@pytest.fixture
def newer() -> Iterator[str]:
    handlers = {
        "EstimatePose": grpc.unary_unary_rpc_method_handler(pose),
        "StreamVideo": grpc.stream_stream_rpc_method_handler(stream),
    }
    with ThreadPoolExecutor(4) as pool:
        server = grpc.server(pool)
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        yield f"127.0.0.1:{port}"
        server.stop(None).wait()


def test_a_pose_of_a_newer_service(newer: str) -> None:
    with Client(newer) as client:
        answer = client.pose(b"picture")
    assert answer.effort is None
    (someone,) = answer.people
    assert [(point.name, point.x, point.y) for point in someone.keypoints] == [("head", 1, 2), ("tail", None, None)]
    assert answer.layout.units == {"x": "px"}


def test_a_stream_of_a_newer_service(newer: str) -> None:
    with Client(newer) as client:
        events = list(client.stream(Frame(b"picture", number, number) for number in range(3)))
    assert [type(event) for event in events] == [Started, PoseEvent, PoseEvent, PoseEvent, Flushed]


class NewerRest(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        status, document = 200, {"model": "m", "people": [{"box": [1, 2, 3, 4], "of_2030": 1}], "of_2030": {}}
        if self.path.startswith("/v1/actions"):
            status, document = 418, {"code": "of_2030", "detail": "do tea", "of_2030": []}
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self) -> None:
        self.send_response(502)
        self.end_headers()
        self.wfile.write(b"<html>bad gateway</html>")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def newer_rest() -> Iterator[str]:
    with serving_http(NewerRest) as url:
        yield url


def test_rest_of_a_newer_service(newer_rest: str) -> None:
    from deephar.errors import DeepharError, Unavailable

    with Client(newer_rest, retries=1) as client:
        assert client.pose(b"picture").people[0].box == (1, 2, 3, 4)
        with pytest.raises(DeepharError, match="do tea") as caught:
            client.classify([b"picture"] * 2, fps=10)
        assert caught.value.code == "of_2030"
        with pytest.raises(Unavailable, match="HTTP 502"):
            client.models()


def test_a_joint_at_zero_of_an_older_service(newer: str) -> None:
    """Before joints could be absent, x of 0 was not sent; its score was."""
    from deephar.messages import pose_answer

    at_zero = pb.Keypoint(name="head", y=2, score=0.5)
    answer = pose_answer(pb.EstimatePoseResponse(people=[pb.Person(keypoints=[at_zero])]))
    assert (answer.people[0].keypoints[0].x, answer.people[0].keypoints[0].y) == (0.0, 2.0)
