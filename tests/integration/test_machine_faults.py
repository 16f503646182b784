"""The machine runs short of disk, handles or memory, its clock jumps, Triton is killed under streams."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import httpx
import pytest
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from PIL import Image as Pillow
from websockets.exceptions import ConnectionClosed

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.asking import asking
from tests.integration.callers import connect, pose
from tests.integration.process_size import open_files
from tests.integration.sockets import socket
from tests.integration.test_supervisor import REPOSITORY
from tests.integration.test_triton_at_fault import ready, server_of
from tests.integration.waiting import wait_for

pytestmark = pytest.mark.faults

BACK_S, BACK_WITH_TRITON_S = 5.0, 10.0
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")


@pytest.fixture(scope="module")
def own() -> Iterator[ServiceProcess]:
    with running_service() as service:
        yield service


def picture(width: int, height: int, kind: str) -> bytes:
    buffer = io.BytesIO()
    Pillow.new("RGB", (width, height), (9, 99, 200)).save(buffer, kind)
    return buffer.getvalue()


@contextmanager
def limited(service: ServiceProcess, what: int, most: int) -> Iterator[None]:
    """Has a running service have no more of a resource; what it has already stays."""
    before = resource.prlimit(service.process.pid, what)
    resource.prlimit(service.process.pid, what, (most, before[1]))
    try:
        yield
    finally:
        resource.prlimit(service.process.pid, what, before)


def processor_s(service: ServiceProcess) -> float:
    fields = Path(f"/proc/{service.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_service_without_free_handles_is_back_with_them(own: ServiceProcess, person_jpeg: bytes) -> None:
    start = len(own.log.read_text())
    with httpx.Client(base_url=own.url, timeout=20) as kept:
        assert kept.get("/readyz").status_code == 200
        with limited(own, resource.RLIMIT_NOFILE, open_files(own) + 10):
            used_s = processor_s(own)
            callers = [connect(own) for _ in range(100)]
            time.sleep(2)
            assert processor_s(own) - used_s < 1.0  # no busy loop
            assert kept.post("/v1/pose", content=person_jpeg).status_code == 200
            large = kept.post("/v1/pose", content=bytes(2_000_000), headers={"Content-Type": "image/png"})
            assert (large.status_code, large.json()["code"]) == (503, "unavailable")
            for caller in callers:
                caller.close()
            assert wait_for(lambda: answers(own, person_jpeg), BACK_S), own.log.read_text()
    with GrpcCalls(own.grpc_address) as client:
        assert client.models()
    assert "Traceback" not in own.log.read_text()
    assert len(own.log.read_text()[start:].splitlines()) < 10


def answers(service: ServiceProcess, image: bytes) -> bool:
    try:
        return ready(service) and pose(service, image).status_code == 200
    except httpx.TransportError:
        return False


def test_what_finds_no_memory_is_an_error_and_not_the_end(
    own: ServiceProcess, person_jpeg: bytes, clip_mp4: bytes
) -> None:
    assert pose(own, person_jpeg).status_code == 200
    status = Path(f"/proc/{own.process.pid}/status").read_text()
    size = 1024 * int(status.split("VmSize:")[1].split()[0])
    large = [picture(8000, 6000, kind) for kind in ("JPEG", "PNG")]
    with limited(own, resource.RLIMIT_AS, size + 40 * 2**20):
        for each in large:
            told = pose(own, each)
            assert (told.status_code, told.json()["code"]) == (503, "unavailable")
            assert "memory" in told.json()["detail"]
            assert pose(own, person_jpeg).status_code == 200
        video = httpx.post(f"{own.url}/v1/actions", files={"video": clip_mp4}, timeout=60)
        assert video.status_code in (200, 503), own.log.read_text()
    assert wait_for(lambda: answers(own, person_jpeg), BACK_S)
    assert [pose(own, each).status_code for each in large] == [200, 200]
    assert httpx.post(f"{own.url}/v1/actions", files={"video": clip_mp4}, timeout=60).status_code == 200
    assert "Traceback" not in own.log.read_text()


def test_streams_of_a_triton_that_is_killed_are_told(own: ServiceProcess, person_jpeg: bytes) -> None:
    frames = list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))
    assert wait_for(lambda: ready(own), 20)
    files = open_files(own)
    told: list[str | bytes | None] = []

    def over_grpc() -> None:
        requests = [pb.StreamVideoRequest(config=pb.StreamConfig(want_keypoints=True))]
        requests += [pb.StreamVideoRequest(frame=frame) for frame in frames * 20]
        with grpc.insecure_channel(own.grpc_address) as channel:
            call = pb_grpc.InferenceServiceStub(channel).StreamVideo(iter(requests), timeout=60)
            with contextlib.suppress(grpc.RpcError):
                for _ in call:
                    flowing.release()
            told.append(dict(call.trailing_metadata()).get("deephar-code"))

    def over_websocket() -> None:
        with socket(own) as stream:
            stream.say("config", want_keypoints=True)
            events = [stream.next()]
            try:
                for frame in frames * 20:
                    stream.send([frame])
                    events.append(stream.next())
                    flowing.release()
            except ConnectionClosed:
                pass
            events += stream.rest()
        told.append(next(each["code"] for each in events if each["event"] == "error"))

    flowing = threading.Semaphore(0)
    streams = [threading.Thread(target=each) for each in (over_grpc, over_websocket)]
    for stream in streams:
        stream.start()
    for _ in range(10):
        assert flowing.acquire(timeout=30)
    os.kill(server_of(own), signal.SIGKILL)
    killed = time.monotonic()
    for stream in streams:
        stream.join(timeout=30)
    assert told == ["unavailable", "unavailable"]
    assert wait_for(lambda: answers(own, person_jpeg), BACK_WITH_TRITON_S + killed - time.monotonic())
    print(f"back after {time.monotonic() - killed:.1f} s")
    assert wait_for(lambda: open_files(own) <= files + 3, 5), (files, open_files(own))
    with GrpcCalls(own.grpc_address) as client:
        assert list(client.stream(frames[:12]))
    assert "Traceback" not in own.log.read_text()


def test_clocks_that_jump_are_not_noticed(tmp_path: Path, person_jpeg: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    if not FAKETIME.exists():
        pytest.skip("libfaketime is not installed (Debian: faketime)")
    clock = tmp_path / "clock"
    clock.write_text("+0")
    frames = list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))[:30]
    with monkeypatch.context() as jumping:
        jumping.setenv("LD_PRELOAD", str(FAKETIME))
        jumping.setenv("FAKETIME_TIMESTAMP_FILE", str(clock))
        jumping.setenv("FAKETIME_NO_CACHE", "1")
        jumping.setenv("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        service = running_service()
        running = service.__enter__()
    try:
        with asking(running, person_jpeg) as asked, GrpcCalls(running.grpc_address) as client:
            expected = len(list(client.stream(frames)))
            for jump in ("+3600", "-86400", "+0"):
                events = client.stream(frames)
                next(iter(events))
                clock.write_text(jump)
                assert len(list(events)) >= expected - 2
                still = time.monotonic() + 4
                while time.monotonic() < still:
                    assert ready(running), running.log.read_text()
                    time.sleep(0.1)
        assert asked.answers() == {(200, "")}
        assert asked.longest_s() < 5
        assert "Traceback" not in running.log.read_text()
    finally:
        service.__exit__(None, None, None)


def test_a_model_that_finds_no_room_is_loaded_once_there_is_some(tmp_path: Path, person_jpeg: bytes) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    size = sum(file.stat().st_size for file in REPOSITORY.rglob("*") if file.is_file())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={2 * size}", "none", str(disk)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("a small file system can only be mounted by root")
    try:
        repository = disk / "models"
        shutil.copytree(REPOSITORY, repository)
        lite = repository / "lite_frame"
        shutil.copytree(repository / "lite_clip", repository / "second_clip")
        clip = repository / "second_clip" / "config.pbtxt"
        clip.write_text(clip.read_text().replace("lite", "second"))
        room = os.statvfs(disk)
        filler = disk / "filler"
        filler.write_bytes(bytes(room.f_bavail * room.f_frsize - 100_000))
        with running_service(model_repository=str(repository)) as service:

            def code() -> int:
                options = {"model": "second"}
                return httpx.post(f"{service.url}/v1/pose", content=person_jpeg, params=options, timeout=30).status_code

            with asking(service, person_jpeg, callers=1) as asked:
                copy = repository / "second_frame"
                (copy / "1").mkdir(parents=True)
                (copy / "config.pbtxt").write_text((lite / "config.pbtxt").read_text().replace("lite", "second"))
                with pytest.raises(OSError, match="No space"):
                    (copy / "1" / "model.onnx").write_bytes((lite / "1" / "model.onnx").read_bytes())
                assert wait_for(lambda: code() == 503, BACK_S), service.log.read_text()
                filler.unlink()
                shutil.copyfile(lite / "1" / "model.onnx", copy / "1" / "model.onnx")
                copied = time.monotonic()
                # Loading takes longer where the machine does other things.
                assert wait_for(lambda: code() != 503, 6 * BACK_S), service.log.read_text()
                print(f"back after {time.monotonic() - copied:.1f} s")
            assert asked.answers() == {(200, "")}
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)
