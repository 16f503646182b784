"""Triton hangs, its networks die or are taken away: readiness says so, callers learn it, and it comes back."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from service.testing.running import ServiceProcess, running_service
from tests.grpc_calls import GrpcCalls
from tests.integration.callers import connect, post_head
from tests.integration.test_supervisor import REPOSITORY, pose
from tests.integration.waiting import wait_for

pytestmark = pytest.mark.faults

HAMMERED_S = 60.0  # by uploads that are given too little time
TOLD_S, BACK_S = 8.0, 15.0  # 5 s and 10 s on a machine that does nothing else


@pytest.fixture(scope="module")
def own() -> Iterator[ServiceProcess]:
    with running_service() as service:
        yield service


@pytest.fixture(scope="module")
def on_stubs() -> Iterator[ServiceProcess]:
    """With the Python backend, which runs each network in a process."""
    with running_service(backend="python") as service:
        yield service


def command_of(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")


def server_of(service: ServiceProcess) -> int:
    (server,) = [pid for pid in service.triton_pids() if command_of(pid)[0].endswith("/tritonserver")]
    return server


def stubs_of(service: ServiceProcess, network: str) -> list[int]:
    found = []
    for pid in service.triton_pids():
        command = command_of(pid)
        if command[0].endswith("triton_python_backend_stub") and any(f"/{network}/" in part for part in command):
            found.append(pid)
    return found


def ready(service: ServiceProcess) -> bool:
    return httpx.get(f"{service.url}/readyz", timeout=5).status_code == 200


def health(service: ServiceProcess) -> int:
    with grpc.insecure_channel(service.grpc_address) as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
        status: int = answer.status
        return status


def told_and_back(service: ServiceProcess, image: bytes) -> dict[str, str]:
    """What readiness said; the service is back when this returns."""
    began = time.monotonic()
    assert wait_for(lambda: not ready(service), TOLD_S), service.log.read_text()
    told: dict[str, str] = httpx.get(f"{service.url}/readyz").json()
    assert wait_for(lambda: ready(service), BACK_S), service.log.read_text()
    assert time.monotonic() - began < TOLD_S + BACK_S
    assert wait_for(lambda: pose(service, image).status_code == 200, 5)
    return told


def lines_since(service: ServiceProcess, start: int, text: str) -> list[str]:
    return [line for line in service.log.read_text()[start:].splitlines() if text in line]


def test_a_triton_that_hangs_is_started_again(own: ServiceProcess, person_jpeg: bytes) -> None:
    start = len(own.log.read_text())
    os.kill(server_of(own), signal.SIGSTOP)
    assert wait_for(lambda: health(own) == health_pb2.HealthCheckResponse.NOT_SERVING, TOLD_S)
    told = told_and_back(own, person_jpeg)
    assert told["status"] == "not ready"
    assert "Triton does not answer" in told["reason"]
    assert wait_for(lambda: health(own) == health_pb2.HealthCheckResponse.SERVING, 2)
    assert len(lines_since(own, start, "Triton is lost")) == 1
    assert len(lines_since(own, start, "Triton is back after")) == 1
    assert "Traceback" not in own.log.read_text()


def test_a_triton_that_is_killed_comes_back(own: ServiceProcess, person_jpeg: bytes) -> None:
    stop, server = threading.Event(), server_of(own)

    def keep_asking(_: int) -> set[tuple[int, str]]:
        answers = set()
        while not stop.is_set():
            answer = pose(own, person_jpeg)
            answers.add((answer.status_code, answer.json().get("code", "")))
        return answers

    with ThreadPoolExecutor(3) as pool:
        asked = pool.map(keep_asking, range(3))
        time.sleep(1)
        os.kill(server, signal.SIGKILL)
        assert wait_for(lambda: not ready(own), TOLD_S)
        time.sleep(0.5)
        stop.set()
    assert set().union(*asked) == {(200, ""), (503, "unavailable")}
    with GrpcCalls(own.grpc_address) as client:  # one channel, before and after
        assert wait_for(lambda: ready(own), BACK_S)
        assert pose(own, person_jpeg).status_code == 200
        assert client.pose(person_jpeg).people
    assert server not in own.triton_pids()


@pytest.mark.parametrize("network", ["person", pytest.param("lite_clip", marks=pytest.mark.long)])
def test_a_network_whose_processes_are_dead_comes_back(
    on_stubs: ServiceProcess, person_jpeg: bytes, clip_mp4: bytes, network: str
) -> None:
    people = pose(on_stubs, person_jpeg).json()["people"]
    answers: list[httpx.Response] = []
    for pid in stubs_of(on_stubs, network):
        os.kill(pid, signal.SIGKILL)
    if network == "person":
        answers = [pose(on_stubs, person_jpeg) for _ in range(3)]
    told_and_back(on_stubs, person_jpeg)
    for answer in answers:  # never 200 with fewer people
        assert answer.status_code == 503 or answer.json()["people"] == people
    assert httpx.post(f"{on_stubs.url}/v1/actions", files={"video": clip_mp4}, timeout=60).status_code == 200
    assert "Traceback" not in on_stubs.log.read_text()


def test_a_paused_process_of_a_network_is_noticed(on_stubs: ServiceProcess, person_jpeg: bytes) -> None:
    for pid in stubs_of(on_stubs, "lite_frame"):
        os.kill(pid, signal.SIGSTOP)
    told_and_back(on_stubs, person_jpeg)
    statuses = {pose(on_stubs, person_jpeg).status_code for _ in range(3)}
    assert statuses <= {200, 503}
    assert "Traceback" not in on_stubs.log.read_text()


@pytest.mark.long  # other tests beside it take the processor away from Triton for seconds, which is no busy service
def test_a_service_that_is_busy_is_ready(own: ServiceProcess, person_jpeg: bytes) -> None:
    assert wait_for(lambda: ready(own), 20)
    stop = threading.Event()

    def keep_asking(_: int) -> set[int]:
        statuses = set()
        with httpx.Client(base_url=own.url, timeout=30) as kept:  # a connection that is closed under it is an error
            while not stop.is_set():
                statuses.add(kept.post("/v1/pose", content=person_jpeg).status_code)
        return statuses

    told = []
    with ThreadPoolExecutor(60) as pool:
        asked = pool.map(keep_asking, range(60))
        deadline = time.monotonic() + 8
        while time.monotonic() < deadline:
            answer = httpx.get(f"{own.url}/readyz", timeout=5)
            told.append(answer.text if answer.status_code != 200 else "")
            time.sleep(0.1)
        stop.set()
    assert not any(told), (told, own.log.read_text()[-4000:])
    assert set().union(*asked) == {200, 429}


def test_what_is_there_but_not_ready_is_503_and_what_is_gone_404(tmp_path: Path, person_jpeg: bytes) -> None:
    repository = tmp_path / "models"
    shutil.copytree(REPOSITORY, repository)
    shutil.copytree(repository / "lite_frame", repository / "broken_frame")
    (repository / "broken_frame" / "1" / "model.onnx").write_bytes(b"no network")
    config = repository / "broken_frame" / "config.pbtxt"
    config.write_text(config.read_text().replace("lite", "broken"))
    with running_service(model_repository=str(repository)) as service:

        def code(model: str) -> tuple[int, str]:
            answer = httpx.post(f"{service.url}/v1/pose", content=person_jpeg, params={"model": model}, timeout=30)
            return answer.status_code, answer.json().get("code", "")

        assert code("broken") == (503, "unavailable")
        assert code("nobody") == (404, "unknown_model")
        shutil.rmtree(repository / "broken_frame")
        assert wait_for(lambda: code("broken") == (404, "unknown_model"), 15)
        assert len(lines_since(service, 0, "model broken is gone")) == 1
        shutil.move(repository / "person", tmp_path / "person")
        (repository / "person").mkdir()
        shutil.copy(tmp_path / "person" / "config.pbtxt", repository / "person" / "config.pbtxt")


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"triton_url": "127.0.0.1:9"}, "DEEPHAR_TRITON_URL=127.0.0.1:9"),
        ({"default_model": "nobody"}, "DEEPHAR_DEFAULT_MODEL=nobody"),
    ],
)
def test_a_setting_that_names_nothing_is_told_once(
    service: ServiceProcess, settings: dict[str, Any], told: str
) -> None:
    with running_service(wait=False, **({"triton_url": service.triton_address()} | settings)) as guest:
        assert wait_for(lambda: told in guest.log.read_text(), 30)
        time.sleep(1.5)
        assert guest.log.read_text().count(told) == 1
        answer = httpx.get(f"{guest.url}/readyz")
        assert answer.status_code == 503
        assert answer.json()["reason"]


def test_a_disk_that_is_full_is_told(service: ServiceProcess, tmp_path: Path, person_jpeg: bytes) -> None:
    full = tmp_path / "full"
    full.mkdir()
    if os.geteuid() or os.system(f"mount -t tmpfs -o size=64k none {full}"):
        pytest.skip("a small file system can only be mounted by root")
    try:
        before = os.environ.get("TMPDIR")
        os.environ["TMPDIR"] = str(full)
        try:
            with running_service(triton_url=service.triton_address()) as guest:
                for request in (
                    {"content": bytes(2_000_000), "headers": {"Content-Type": "image/jpeg"}},
                    {"files": {"image": bytes(2_000_000)}},
                ):
                    answer = httpx.post(f"{guest.url}/v1/pose", timeout=30, **request)
                    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
                    assert "no room" in answer.json()["detail"]
                assert pose(guest, person_jpeg).status_code == 200
                assert "Traceback" not in guest.log.read_text()
        finally:
            os.environ.pop("TMPDIR")
            if before is not None:
                os.environ["TMPDIR"] = before
    finally:
        os.system(f"umount {full}")


def test_a_caller_who_resets_in_mid_body_is_one_line(own: ServiceProcess) -> None:
    time.sleep(0.3)  # access lines of what was asked before
    start = len(own.log.read_text())
    connect(own, post_head(100_000), b"x" * 1000).close()
    assert wait_for(lambda: bool(lines_since(own, start, "POST /v1/pose 499")), 5)
    assert len(own.log.read_text()[start:].splitlines()) == 1
    with GrpcCalls(own.grpc_address) as client:
        assert client.models()


def test_deadlines_that_pass_do_not_end_triton(own: ServiceProcess, clip_mp4: bytes) -> None:
    before, until_s = restarts(own), time.monotonic() + HAMMERED_S

    def keep_asking(caller: int) -> set[int]:
        times, statuses = random.Random(caller), set()
        while time.monotonic() < until_s:
            limit = {"X-Request-Timeout": f"{times.uniform(0.1, 2.0):.3f}"}
            statuses.add(httpx.post(f"{own.url}/v1/actions", content=clip_mp4, headers=limit, timeout=60).status_code)
        return statuses

    with ThreadPoolExecutor(3) as pool:
        statuses = set().union(*pool.map(keep_asking, range(3)))
    assert restarts(own) == before, own.log.read_text()
    assert 504 in statuses
    assert statuses <= {200, 504}


def restarts(service: ServiceProcess) -> float:
    """How often the service has started its Triton again."""
    metrics = httpx.get(f"{service.url}/metrics", timeout=5).text
    return next(float(line.split()[1]) for line in metrics.splitlines() if line.startswith("deephar_triton_restarts_"))
