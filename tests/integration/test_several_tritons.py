"""One gateway on two Tritons: one of them is killed, hangs or is started again, and no request fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import httpx
import pytest
from tritonclient.grpc import service_pb2
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub

from service.testing.ports import free_loopback_port
from service.testing.running import ROOT, ServiceProcess, running_service
from tests.integration.asking import Asking, asking
from tests.integration.waiting import wait_for

LAUNCHER = ROOT / "service" / "embedded_triton" / "launcher.py"
BACK_S = 15.0  # 10 s on a machine that does nothing else

pytestmark = pytest.mark.faults


class TritonProcess:
    """A Triton on loopback that is not the service's own."""

    def __init__(self) -> None:
        self.port = free_loopback_port()
        self.address = f"127.0.0.1:{self.port}"
        self._stub: Any = GRPCInferenceServiceStub(
            grpc.insecure_channel(self.address, options=[("grpc.max_reconnect_backoff_ms", 500)])
        )
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [
                str(ROOT / ".venv-triton" / "bin" / "python"),
                str(LAUNCHER),
                f"--repository={ROOT / 'model_repository'}",
                f"--port={self.port}",
                f"--parent={os.getpid()}",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)
        if number == signal.SIGKILL:
            self._process.wait()

    def is_ready(self) -> bool:
        try:
            return bool(self._stub.ModelReady(service_pb2.ModelReadyRequest(name="lite_clip"), timeout=2).ready)
        except grpc.RpcError:
            return False

    def inferences(self, network: str) -> int:
        stats = self._stub.ModelStatistics(service_pb2.ModelStatisticsRequest(name=network), timeout=5).model_stats
        return int(sum(model.inference_count for model in stats))


@pytest.fixture(scope="module")
def tritons() -> Iterator[list[TritonProcess]]:
    both = [TritonProcess(), TritonProcess()]
    for triton in both:
        triton.start()
    assert wait_for(lambda: all(triton.is_ready() for triton in both), 60)
    yield both
    for triton in both:
        triton.signal(signal.SIGKILL)


@pytest.fixture(scope="module")
def gateway(tritons: list[TritonProcess]) -> Iterator[ServiceProcess]:
    with running_service(triton_url=",".join(triton.address for triton in tritons)) as service:
        yield service


@contextmanager
def load(service: ServiceProcess, image: bytes, clip: bytes) -> Iterator[tuple[Asking, Counter[int]]]:
    """Asks, and looks at the readiness."""
    readiness: Counter[int] = Counter()
    stop = threading.Event()

    def keep_looking() -> None:
        while not stop.wait(0.1):
            readiness[httpx.get(f"{service.url}/readyz", timeout=10).status_code] += 1

    with asking(service, image, 3, clip, least=10) as asked, ThreadPoolExecutor(1) as pool:
        looking = pool.submit(keep_looking)
        try:
            yield asked, readiness
        finally:
            stop.set()
    looking.result()


def said(service: ServiceProcess, start: int, text: str) -> int:
    return service.log.read_text()[start:].count(text)


def is_used(triton: TritonProcess) -> bool:
    before = triton.inferences("lite_frame")
    return wait_for(lambda: triton.inferences("lite_frame") > before, 5)


def test_work_is_shared(
    gateway: ServiceProcess, tritons: list[TritonProcess], person_jpeg: bytes, clip_mp4: bytes
) -> None:
    before = [triton.inferences("lite_frame") for triton in tritons]
    with load(gateway, person_jpeg, clip_mp4) as (asked, _):
        assert wait_for(lambda: asked.count(200) > 60, 60)
    done = [triton.inferences("lite_frame") - count for triton, count in zip(tritons, before, strict=True)]
    assert min(done) > 0.3 * sum(done), done
    assert asked.answers() == {(200, "")}


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "hangs"])
def test_no_request_fails_when_one_is_lost(
    gateway: ServiceProcess, tritons: list[TritonProcess], person_jpeg: bytes, clip_mp4: bytes, how: signal.Signals
) -> None:
    lost, start = tritons[1], len(gateway.log.read_text())
    with load(gateway, person_jpeg, clip_mp4) as (asked, readiness):
        lost.signal(how)
        assert wait_for(lambda: said(gateway, start, f"Triton at {lost.address} is lost") == 1, 10)
        during = asked.count(200)
        assert wait_for(lambda: asked.count(200) > during + 20, 30), gateway.log.read_text()
        if how == signal.SIGKILL:
            lost.start()
        else:
            lost.signal(signal.SIGCONT)
        assert wait_for(lost.is_ready, BACK_S)
        assert wait_for(lambda: said(gateway, start, f"Triton at {lost.address} is back after") == 1, 5)
        assert is_used(lost), gateway.log.read_text()
    print(how, asked.longest_s(), asked.answers(), file=sys.stderr)
    assert asked.answers() == {(200, "")}, gateway.log.read_text()
    assert set(readiness) == {200}
    assert asked.longest_s() < 8
    assert said(gateway, start, "is lost") == 1
    assert "Traceback" not in gateway.log.read_text()


def test_both_are_lost_and_come_back(gateway: ServiceProcess, tritons: list[TritonProcess], person_jpeg: bytes) -> None:
    for triton in tritons:
        triton.signal(signal.SIGKILL)

    def status() -> int:
        return httpx.post(f"{gateway.url}/v1/pose", content=person_jpeg, timeout=60).status_code

    assert wait_for(lambda: status() == 503, 5)
    assert wait_for(lambda: httpx.get(f"{gateway.url}/readyz").status_code == 503, 5)
    for triton in tritons:
        triton.start()
    assert wait_for(lambda: any(triton.is_ready() for triton in tritons), 30)
    assert wait_for(lambda: status() == 200, 5)
    assert wait_for(lambda: httpx.get(f"{gateway.url}/readyz").status_code == 200, 5)
