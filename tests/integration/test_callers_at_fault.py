"""Callers who flood, leave or send bombs: they get an answer, and nobody else notices."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import grpc
import httpx
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from PIL import Image as Pillow

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.callers import call_with_bytes, connect, pose, post_head
from tests.integration.process_size import memory_mb, open_files
from tests.videos import first_frames

pytestmark = pytest.mark.faults


def png(side: int) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (side, side), (9, 99, 200)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


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
    with grpc.insecure_channel(service.grpc_address) as channel:
        stub = pb_grpc.InferenceServiceStub(channel)
        with pytest.raises(grpc.RpcError) as caught:
            stub.ClassifyClip(iter(late))
        (told,) = [e.frame_error for e in stub.StreamVideo(iter(late)) if e.WhichOneof("event") == "frame_error"]
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert told.code == "invalid_argument"
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
    with GrpcCalls(service.grpc_address) as client:
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
            with GrpcCalls(service.grpc_address) as client:
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
