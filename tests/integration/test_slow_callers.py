"""Callers who stall, send slowly or do not read: they are cut off in time, and nobody else notices."""

from __future__ import annotations

import io
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import grpc
import httpx
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from PIL import Image as Pillow

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import frames_of
from tests.integration.callers import answer_of, connect, pose, post_head
from tests.integration.process_size import memory_mb, open_files

pytestmark = pytest.mark.faults


@pytest.fixture(scope="module")
def hasty(service: ServiceProcess) -> Iterator[ServiceProcess]:
    """A service with short time-outs and few places, on the Triton of the other one."""
    with running_service(
        triton_url=service.triton_address(),
        header_timeout_s="1",
        body_timeout_s="1",
        write_timeout_s="2",
        stream_idle_s="2",
        keep_alive_s="1.5",
        max_requests="4",
    ) as guest:
        yield guest


def test_lines_that_nobody_reads_hold_up_only_their_reader(
    hasty: ServiceProcess, clip_mp4: bytes, person_jpeg: bytes
) -> None:
    head = post_head(len(clip_mp4), "/v1/actions", "Accept: application/x-ndjson\n").replace("image/jpeg", "video/mp4")
    unread = [connect(hasty, head, clip_mp4) for _ in range(5)]
    assert pose(hasty, person_jpeg).status_code == 200
    for connection in unread:
        connection.close()


def test_a_connection_stays_for_the_next_request_and_not_forever(hasty: ServiceProcess) -> None:
    with connect(hasty, "GET /healthz HTTP/1.1\nHost: x\n\n") as kept:
        assert answer_of(kept)[0] == 200
        began = time.monotonic()
        assert kept.recv(1) == b""
        assert 1 < time.monotonic() - began < 4


def test_silent_connections_are_closed_and_slow_headers_told(hasty: ServiceProcess) -> None:
    before = open_files(hasty)
    silent = [connect(hasty) for _ in range(200)]
    with connect(hasty, "POST /v1/pose HTTP/1.1\nHost: x\n") as slow:
        assert answer_of(slow)[0] == 408
    for connection in silent:
        assert connection.recv(1) == b""
        connection.close()
    assert open_files(hasty) < before + 20


def test_a_body_that_does_not_come_is_told_and_gives_its_place_back(hasty: ServiceProcess, person_jpeg: bytes) -> None:
    stalled = [connect(hasty, post_head(10_000), b"x" * 100) for _ in range(4)]
    time.sleep(0.2)
    assert pose(hasty, person_jpeg).status_code == 429
    for connection in stalled:
        status, text = answer_of(connection)
        assert status == 408
        assert "request_timeout" in text
        connection.close()  # what is left of a body is waited for
    time.sleep(0.2)
    assert pose(hasty, person_jpeg).status_code == 200


def test_a_full_service_refuses_before_the_body_is_sent(hasty: ServiceProcess) -> None:
    stalled = [connect(hasty, post_head(10_000), b"x" * 100) for _ in range(4)]
    time.sleep(0.2)
    began = time.monotonic()
    with connect(hasty, post_head(20_000_000)) as refused:
        status, text = answer_of(refused)
    assert status == 429
    assert "retry-after: 1" in text.lower()
    assert time.monotonic() - began < 0.5
    # An ordinary client, which sends all of its body first, reads the answer and no reset.
    assert pose(hasty, bytes(15_000_000)).status_code == 429
    for connection in stalled:
        connection.close()


def test_headers_have_a_limit(hasty: ServiceProcess) -> None:
    began = time.monotonic()
    with connect(hasty, "GET /healthz HTTP/1.1\nHost: x\nX-Long: ") as endless:
        try:
            for _ in range(400):
                endless.sendall(b"a" * 100_000)
        except OSError:
            pass
        else:
            pytest.fail("40 MB of a header were taken")
    with connect(hasty, f"GET /healthz HTTP/1.1\nHost: x\nX-Long: {'a' * 70_000}\n\n") as long:
        status, text = answer_of(long)
    assert (status, "headers_too_large" in text) == (431, True)
    assert time.monotonic() - began < 5
    assert httpx.get(f"{hasty.url}/healthz").status_code == 200


def test_answers_that_nobody_reads_are_bounded_and_cut_off(hasty: ServiceProcess, person_jpeg: bytes) -> None:
    noise = Pillow.effect_noise((3000, 3000), 100).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG")
    head = post_head(len(buffer.getvalue()), more="Accept: image/png\n")
    unread: list[socket.socket] = []
    for _ in range(4):
        left, unread = unread, [connect(hasty, head, buffer.getvalue()) for _ in range(4)]
        for connection in left:
            connection.close()
        time.sleep(0.1)
    deadline = time.monotonic() + 60
    while pose(hasty, person_jpeg).status_code != 200:
        assert time.monotonic() < deadline, "their places were not given back"
        time.sleep(0.2)
    assert memory_mb(hasty, "VmHWM") < 1000
    assert "Traceback" not in hasty.log.read_text()
    for connection in unread:
        connection.close()


def test_streams_without_config_or_frames_end(hasty: ServiceProcess) -> None:
    over = threading.Event()  # until then the callers say nothing more

    def silent() -> Iterator[pb.StreamVideoRequest]:
        over.wait(60)
        yield from ()

    def one_frame() -> Iterator[pb.StreamVideoRequest]:
        yield pb.StreamVideoRequest(config=pb.StreamConfig())
        for frame in frames_of(str(SAMPLES / "jumping_jacks.mp4")):
            yield pb.StreamVideoRequest(frame=frame)
        over.wait(60)

    with grpc.insecure_channel(hasty.grpc_address) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)
        for requests, wanted in ((silent, []), (one_frame, ["segment"])):
            began = time.monotonic()
            kinds: list[str | None] = []
            events = stub.StreamVideo(requests())
            with pytest.raises(grpc.RpcError) as caught:
                kinds.extend(event.WhichOneof("event") for event in events)
            assert time.monotonic() - began < 50
            assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            assert dict(caught.value.trailing_metadata())["deephar-code"] == "request_timeout"
            assert kinds[-1:] == wanted
        over.set()


def test_a_stream_whose_answers_nobody_reads_ends(hasty: ServiceProcess) -> None:
    frames = list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))

    def endless() -> Iterator[pb.StreamVideoRequest]:
        yield pb.StreamVideoRequest(config=pb.StreamConfig(want_keypoints=True))
        for i in range(10_000):
            frame = frames[i % len(frames)]
            yield pb.StreamVideoRequest(
                frame=pb.Frame(frame_id=i, timestamp_ns=40_000_000 * i, encoded=frame.encoded, raw=frame.raw)
                if frame.WhichOneof("picture") == "raw"
                else pb.Frame(frame_id=i, timestamp_ns=40_000_000 * i, encoded=frame.encoded)
            )

    with grpc.insecure_channel(hasty.grpc_address, options=[("grpc.http2.bdp_probe", 0)]) as channel:
        events = pb_grpc.InferenceServiceStub(channel).StreamVideo(endless())
        next(events)
        time.sleep(25)  # a busy machine needs a while to fill what the transport holds, only then the wait begins
        with pytest.raises(grpc.RpcError) as caught:
            list(events)
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert dict(caught.value.trailing_metadata())["deephar-code"] == "request_timeout"


def test_a_question_that_does_not_come_is_not_waited_for(hasty: ServiceProcess) -> None:
    def silent() -> Iterator[bytes]:
        time.sleep(6)
        yield from ()

    with grpc.insecure_channel(hasty.grpc_address) as channel:
        for method in ("/deephar.v1.InferenceService/ListModels", "/grpc.health.v1.Health/Check"):
            began = time.monotonic()
            with pytest.raises(grpc.RpcError) as caught:
                channel.stream_unary(method)(silent(), timeout=20)
            assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            assert time.monotonic() - began < 5


def test_requests_that_do_not_wait_for_the_answers_before_them_are_left_out(
    hasty: ServiceProcess, person_jpeg: bytes
) -> None:
    one = post_head(len(person_jpeg)).replace("\n", "\r\n").encode() + person_jpeg
    received = b""
    with connect(hasty, body=one * 50) as connection, suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    assert received.count(b"HTTP/1.1 200") == 2
    assert pose(hasty, person_jpeg).status_code == 200
    assert "Traceback" not in hasty.log.read_text()


@pytest.mark.long
def test_clients_may_ping_often(hasty: ServiceProcess, person_jpeg: bytes) -> None:
    options = [("grpc.keepalive_time_ms", 5_100), ("grpc.keepalive_permit_without_calls", 1)]
    with grpc.insecure_channel(hasty.grpc_address, options=[*options, ("grpc.http2.max_pings_without_data", 0)]) as one:
        stub = pb_grpc.InferenceServiceStub(one)
        for _ in range(2):
            assert stub.EstimatePose(pb.EstimatePoseRequest(image=person_jpeg), timeout=10).people
            time.sleep(6)
        assert stub.EstimatePose(pb.EstimatePoseRequest(image=person_jpeg), timeout=10).people


@pytest.mark.long
def test_two_thousand_silent_connections_are_closed_while_others_are_served(
    hasty: ServiceProcess, person_jpeg: bytes
) -> None:
    silent = [connect(hasty) for _ in range(2000)]
    slow = [connect(hasty, "POST /v1/pose HTTP/1.1\nHost: x\n") for _ in range(440)]
    assert pose(hasty, person_jpeg).status_code == 200
    assert {answer_of(connection)[0] for connection in slow} == {408}
    for connection in silent:
        assert connection.recv(1) == b""
        connection.close()
    assert open_files(hasty) < 100
    for connection in slow:
        connection.close()
