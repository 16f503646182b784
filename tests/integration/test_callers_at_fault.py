"""Callers who flood, stall, leave or send bombs: they get an answer or are cut off, and nobody else notices."""

from __future__ import annotations

import gzip
import io
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import httpx
import pytest
from deephar import Client
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from deephar.video import frames_of
from PIL import Image as Pillow

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.videos import first_frames

METHOD = "/deephar.v1.InferenceService/EstimatePose"


@pytest.fixture(scope="module")
def hasty(service: ServiceProcess) -> Iterator[ServiceProcess]:
    """A service with short time-outs and few places, on the Triton of the other one."""
    with running_service(
        triton_url=service.triton_address(),
        header_timeout_s="1",
        body_timeout_s="1",
        write_timeout_s="2",
        stream_idle_s="2",
        max_requests="4",
    ) as service:
        yield service


def connect(service: ServiceProcess, head: str = "", body: bytes = b"") -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", service.http_port), timeout=20)
    connection.sendall(head.replace("\n", "\r\n").encode() + body)
    return connection


def post_head(length: int, path: str = "/v1/pose", more: str = "") -> str:
    return f"POST {path} HTTP/1.1\nHost: x\nContent-Type: image/jpeg\nContent-Length: {length}\n{more}\n"


def answer_of(connection: socket.socket) -> tuple[int, str]:
    received = b""
    while part := connection.recv(65536):
        received += part
        if received.partition(b"\r\n\r\n")[2].endswith(b"}"):
            break
    return int(received.split()[1]) if received else 0, received.decode(errors="replace")


def memory_mb(service: ServiceProcess, field: str = "VmRSS") -> float:
    status = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def open_files(service: ServiceProcess) -> int:
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))


def png(side: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (side, side), (9, 99, 200)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def pose(service: ServiceProcess, image: bytes) -> httpx.Response:
    return httpx.post(f"{service.url}/v1/pose", content=image, timeout=60)


def test_as_many_videos_as_are_let_in_all_answer_and_pictures_meanwhile(
    service: ServiceProcess, clip_mp4: bytes, person_jpeg: bytes
) -> None:
    short = first_frames(clip_mp4, 55)

    def video(_: int) -> httpx.Response:
        return httpx.post(f"{service.url}/v1/actions", files={"video": short}, timeout=120)

    with ThreadPoolExecutor(20) as pool:
        videos = [pool.submit(video, i) for i in range(16)]
        time.sleep(0.3)
        pictures = [pose(service, person_jpeg) for _ in range(4)]
        under_way = [not done.done() for done in videos]
        answers = [done.result() for done in videos]
    assert any(under_way)
    assert {picture.status_code for picture in pictures} == {200}
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["actions"][0]["label"] for answer in answers} == {"jumping_jacks"}


def test_lines_that_nobody_reads_hold_up_only_their_reader(
    hasty: ServiceProcess, clip_mp4: bytes, person_jpeg: bytes
) -> None:
    head = post_head(len(clip_mp4), "/v1/actions", "Accept: application/x-ndjson\n").replace("image/jpeg", "video/mp4")
    unread = [connect(hasty, head, clip_mp4) for _ in range(5)]
    assert pose(hasty, person_jpeg).status_code == 200
    for connection in unread:
        connection.close()


def test_silent_connections_are_closed_and_slow_headers_told(hasty: ServiceProcess) -> None:
    before = open_files(hasty)
    silent = [connect(hasty) for _ in range(200)]
    slow = connect(hasty, "POST /v1/pose HTTP/1.1\nHost: x\n")
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
    status, text = answer_of(connect(hasty, post_head(20_000_000)))
    assert status == 429
    assert "retry-after: 1" in text.lower()
    assert time.monotonic() - began < 0.5
    # An ordinary client, which sends all of its body first, reads the answer and no reset.
    assert pose(hasty, bytes(15_000_000)).status_code == 429
    for connection in stalled:
        connection.close()


def test_headers_have_a_limit(hasty: ServiceProcess) -> None:
    began = time.monotonic()
    connection = connect(hasty, "GET /healthz HTTP/1.1\nHost: x\nX-Long: ")
    status = 0
    try:
        for _ in range(400):
            connection.sendall(b"a" * 100_000)
    except OSError:
        pass
    else:
        pytest.fail("40 MB of a header were taken")
    status, text = answer_of(connect(hasty, f"GET /healthz HTTP/1.1\nHost: x\nX-Long: {'a' * 70_000}\n\n"))
    assert (status, "headers_too_large" in text) == (431, True)
    assert time.monotonic() - began < 5
    assert httpx.get(f"{hasty.url}/healthz").status_code == 200


def test_work_of_callers_who_left_is_not_begun(service: ServiceProcess, clip_mp4: bytes, person_jpeg: bytes) -> None:
    large = png(4000)
    callers = [connect(service, post_head(len(large)), large) for _ in range(24)]
    videos = [
        connect(service, post_head(len(clip_mp4), "/v1/actions").replace("image/jpeg", "video/mp4"), clip_mp4)
        for _ in range(12)
    ]
    time.sleep(0.5)
    for connection in callers + videos:
        connection.close()
    time.sleep(1.0)
    began = time.monotonic()
    assert pose(service, person_jpeg).status_code == 200
    assert time.monotonic() - began < 3
    with ThreadPoolExecutor(16) as pool:  # all places are free again
        statuses = [r.status_code for r in pool.map(lambda _: pose(service, person_jpeg), range(32))]
    assert set(statuses) == {200}
    assert "Traceback" not in service.log.read_text()


def test_many_large_pictures_are_answered_one_after_another_in_little_memory(
    service: ServiceProcess, person_jpeg: bytes
) -> None:
    with running_service(triton_url=service.triton_address()) as guest:
        bomb, finished = png(6500), []

        def ask(_: int) -> int:
            status = pose(guest, bomb).status_code
            finished.append(time.monotonic())
            return status

        began = time.monotonic()
        with ThreadPoolExecutor(4) as pool:
            asked = pool.map(ask, range(4))
            time.sleep(1.0)
            small = time.monotonic()
            assert pose(guest, person_jpeg).status_code == 200
            assert time.monotonic() - small < 5
            assert set(asked) == {200}
        assert (min(finished) - began) < 0.5 * (max(finished) - began)
        assert memory_mb(guest, "VmHWM") < 600  # no more of them than one at a time


def test_answers_that_nobody_reads_are_bounded_and_cut_off(hasty: ServiceProcess, person_jpeg: bytes) -> None:
    noise = Pillow.effect_noise((3000, 3000), 100).convert("RGB")
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG")
    head = post_head(len(buffer.getvalue()), more="Accept: image/png\n")
    for _ in range(4):
        unread = [connect(hasty, head, buffer.getvalue()) for _ in range(4)]
        time.sleep(0.1)
    deadline = time.monotonic() + 60
    while pose(hasty, person_jpeg).status_code != 200:
        assert time.monotonic() < deadline, "their places were not given back"
        time.sleep(0.2)
    assert memory_mb(hasty, "VmHWM") < 1000
    assert "Traceback" not in hasty.log.read_text()
    del unread


def test_streams_without_config_or_frames_end(hasty: ServiceProcess) -> None:
    def silent() -> Iterator[pb.StreamVideoRequest]:
        time.sleep(8)
        yield from ()

    def one_frame() -> Iterator[pb.StreamVideoRequest]:
        yield pb.StreamVideoRequest(config=pb.StreamConfig())
        for frame in frames_of(str(SAMPLES / "jumping_jacks.mp4")):
            yield pb.StreamVideoRequest(frame=frame)
        time.sleep(8)

    with grpc.insecure_channel(hasty.grpc_address) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)
        for requests, wanted in ((silent, []), (one_frame, ["segment"])):
            began = time.monotonic()
            kinds: list[str | None] = []
            events = stub.StreamVideo(requests())
            with pytest.raises(grpc.RpcError) as caught:
                kinds.extend(event.WhichOneof("event") for event in events)
            assert time.monotonic() - began < 7
            assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
            assert dict(caught.value.trailing_metadata())["deephar-code"] == "request_timeout"
            assert kinds[-1:] == wanted


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
        time.sleep(12)
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
    connection = connect(hasty, body=one * 50)
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except ConnectionResetError:
        pass
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


def call_with_bytes(service: ServiceProcess, data: bytes, method: str = METHOD, **options: object) -> grpc.RpcError:
    with grpc.insecure_channel(service.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(channel.stream_stream(method)(iter([data]), timeout=30, **options))
    return caught.value


@pytest.mark.parametrize(
    "method",
    [
        *(
            f"/deephar.v1.InferenceService/{name}"
            for name in ("EstimatePose", "ListModels", "ClassifyClip", "StreamVideo")
        ),
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ],
)
def test_what_is_no_message_is_told(service: ServiceProcess, method: str) -> None:
    error = call_with_bytes(service, b"\xff" * 50, method)
    assert error.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert dict(error.trailing_metadata())["deephar-code"] == "invalid_argument"
    assert "google" not in error.details()
    assert "Traceback" not in service.log.read_text()


def test_a_bomb_of_gzip_is_not_inflated(service: ServiceProcess) -> None:
    before = memory_mb(service)
    error = call_with_bytes(service, bytes(20_000_000), compression=grpc.Compression.Gzip)
    assert error.code() == grpc.StatusCode.UNIMPLEMENTED
    assert memory_mb(service, "VmRSS") < before + 15
    assert len(gzip.compress(bytes(20_000_000))) < 30_000


def test_options_are_counted_before_they_are_read(service: ServiceProcess, person_jpeg: bytes) -> None:
    slowest, stop = [0.0], threading.Event()

    def watch() -> None:
        while not stop.is_set():
            began = time.monotonic()
            httpx.get(f"{service.url}/healthz", timeout=30)
            slowest[0] = max(slowest[0], time.monotonic() - began)

    watching = threading.Thread(target=watch)
    watching.start()
    boxes = pb.EstimatePoseRequest(image=b"x", boxes=[pb.Box(x=1, y=1, width=9, height=9)] * 400_000)
    over_grpc = call_with_bytes(service, boxes.SerializeToString())
    document = json.dumps({"image": "aGVsbG8=", "boxes": [[1, 1, 9, 9]] * 1_000_000})
    over_rest = httpx.post(
        f"{service.url}/v1/pose", content=document, headers={"Content-Type": "application/json"}, timeout=60
    )
    stop.set()
    watching.join()
    assert over_grpc.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert over_rest.status_code == 422
    assert slowest[0] < 3


def test_options_of_any_depth_and_kind_are_told(service: ServiceProcess, person_jpeg: bytes) -> None:
    deep: list[object] = []
    for _ in range(200):
        deep = [deep]
    for name in ("max_people", "flip", "model", "boxes", "camera"):
        assert httpx.post(f"{service.url}/v1/pose", json={"image": "aGk=", name: deep}, timeout=30).status_code == 422
    form = b'--x\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\nhi\r\n--x--\r\n'
    kind = "multipart/form-data; boundary=x; charset=punycode"
    answer = httpx.post(f"{service.url}/v1/pose", content=form, headers={"Content-Type": kind}, timeout=30)
    assert answer.status_code == 422
    assert "charset" in answer.json()["detail"]
    late = [
        pb.StreamVideoRequest(config=pb.StreamConfig()),
        pb.StreamVideoRequest(frame=pb.Frame(timestamp_ns=2**63 - 1, encoded=person_jpeg)),
    ]
    with grpc.insecure_channel(service.grpc_address) as channel, pytest.raises(grpc.RpcError) as caught:
        list(pb_grpc.InferenceServiceStub(channel).StreamVideo(iter(late)))
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "Traceback" not in service.log.read_text()


def test_long_names_are_told_briefly(service: ServiceProcess, person_jpeg: bytes) -> None:
    name = "m" * 5_000_000
    error = call_with_bytes(service, pb.EstimatePoseRequest(image=person_jpeg, model=name).SerializeToString())
    assert error.code() == grpc.StatusCode.NOT_FOUND
    assert len(error.details()) < 1100
    answer = httpx.post(f"{service.url}/v1/pose", json={"image": "aGVsbG8=", "model": name}, timeout=30)
    assert answer.status_code == 422
    assert len(answer.text) < 1500


def test_dropped_streams_leave_nothing(service: ServiceProcess, person_jpeg: bytes) -> None:
    frames = list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))[:12]
    with Client(service.grpc_address) as client:
        list(client.stream(frames))
        before, files = memory_mb(service), open_files(service)
        for _ in range(30):
            for event in client.stream(frames):
                assert event.frame_id == 0
                break
        assert list(client.stream(frames))
    assert open_files(service) <= files + 3
    assert memory_mb(service) < before + 60
    with ThreadPoolExecutor(8) as pool:
        assert {r.status_code for r in pool.map(lambda _: pose(service, person_jpeg), range(16))} == {200}


@pytest.mark.long
def test_thousands_of_requests_and_hundreds_of_dropped_streams_leave_nothing(person_jpeg: bytes) -> None:
    frames = list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))[:12]
    with running_service() as service:

        def ask(count: int) -> set[int]:
            with httpx.Client(base_url=service.url, timeout=60) as kept, ThreadPoolExecutor(8) as pool:
                answers = pool.map(lambda _: kept.post("/v1/pose", content=person_jpeg), range(count))
                return {answer.status_code for answer in answers}

        def drop(count: int) -> None:
            with Client(service.grpc_address) as client:
                for _ in range(count):
                    for _ in client.stream(frames):
                        break

        assert ask(500) == {200}
        drop(50)
        before, files = memory_mb(service), open_files(service)
        assert ask(5000) == {200}
        drop(300)
        time.sleep(2)
        print(f"memory {before:.0f} MB before, {memory_mb(service):.0f} MB after; files {files}, {open_files(service)}")
        assert memory_mb(service) < 1.15 * before
        assert open_files(service) <= files + 5
        assert ask(32) == {200}


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
