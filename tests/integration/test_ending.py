"""The service is told to stop: everybody is taken leave of, in time, and nothing is left."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import grpc
import httpx
import pytest
from deephar.v1 import inference_pb2 as pb

from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.callers import answer_of, connect, post_head
from tests.integration.left_behind import left_of_service
from tests.integration.waiting import wait_for
from tests.pictures import many_scans

GRACE_S = 2.0


class Streaming(threading.Thread):
    """A caller whose stream does not end by itself."""

    def __init__(self, service: ServiceProcess, under_way: threading.Barrier) -> None:
        super().__init__()
        self._service, self._under_way = service, under_way
        self.kinds: list[str] = []
        self.error: grpc.RpcError | None = None

    def run(self) -> None:
        def frames() -> Iterator[pb.Frame]:
            yield from frames_of(str(SAMPLES / "jumping_jacks.mp4"))
            time.sleep(20)

        with GrpcCalls(self._service.grpc_address) as client:
            try:
                for event in client.stream(frames()):
                    self.kinds.append(event.WhichOneof("event"))
                    if self.kinds.count("action") == 4 and self.kinds[-1] == "action":
                        self._under_way.wait()
            except grpc.RpcError as error:
                self.error = error


@pytest.mark.parametrize(
    "how",
    [
        signal.SIGTERM,
        pytest.param(signal.SIGINT, marks=pytest.mark.long),
        pytest.param(signal.SIGHUP, marks=pytest.mark.long),
    ],
)
def test_everybody_is_taken_leave_of(how: signal.Signals, person_jpeg: bytes) -> None:
    with running_service(shutdown_grace_s=str(GRACE_S)) as service:
        under_way = threading.Barrier(3)
        streams = [Streaming(service, under_way) for _ in range(2)]
        for stream in streams:
            stream.start()
        upload = connect(service, post_head(100_000), person_jpeg[:5000])
        under_way.wait(timeout=30)
        time.sleep(0.5)
        began = time.monotonic()
        assert service.stop(how) == 0
        took = time.monotonic() - began
        with upload:
            status, text = answer_of(upload)
        for stream in streams:
            stream.join()
        assert (status, '"code":"unavailable"' in text) == (503, True)
        for stream in streams:
            assert stream.kinds[-1] == "segment"
            assert stream.error is not None
            assert stream.error.code() == grpc.StatusCode.UNAVAILABLE
            assert dict(stream.error.trailing_metadata())["deephar-code"] == "unavailable"
        assert took < GRACE_S + 2
        assert "Traceback" not in service.log.read_text()
        assert wait_for(lambda: not left_of_service(service), 5), left_of_service(service)


def test_what_is_in_work_is_answered_and_readiness_goes_first(service: ServiceProcess, clip_mp4: bytes) -> None:
    with running_service(triton_url=service.triton_address(), shutdown_grace_s="20") as guest:
        answers: list[httpx.Response] = []
        asking = threading.Thread(
            target=lambda: answers.append(httpx.post(f"{guest.url}/v1/actions", files={"video": clip_mp4}, timeout=60))
        )
        with httpx.Client() as kept:
            assert kept.get(f"{guest.url}/readyz").status_code == 200
            asking.start()
            time.sleep(0.3)
            guest.process.send_signal(signal.SIGTERM)
        asking.join()
        assert guest.process.wait(timeout=10) == 0
        assert answers[0].status_code == 200
        assert answers[0].json()["segments"]


def test_a_second_ctrl_c_ends_at_once() -> None:
    with running_service(shutdown_grace_s="30") as service:
        stalled = connect(service, post_head(100_000), b"x" * 10)
        time.sleep(0.2)
        service.process.send_signal(signal.SIGINT)
        time.sleep(0.5)
        began = time.monotonic()
        service.process.send_signal(signal.SIGINT)
        assert service.process.wait(timeout=10) == 130
        assert time.monotonic() - began < 1
        assert wait_for(lambda: not left_of_service(service), 5), left_of_service(service)
        stalled.close()


def test_work_that_does_not_end_is_not_waited_for() -> None:
    with running_service(shutdown_grace_s="0.5") as service:
        slow = many_scans(7000, 95)  # seconds in libjpeg, which nothing interrupts
        callers = [connect(service, post_head(len(slow)), slow) for _ in range(3)]
        time.sleep(0.5)
        began = time.monotonic()
        assert service.stop(signal.SIGTERM) == 0
        assert time.monotonic() - began < 0.5 + 2
        assert wait_for(lambda: not left_of_service(service), 5), left_of_service(service)
        for caller in callers:
            caller.close()


def test_what_nohup_started_does_not_end_with_its_terminal() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # handed on to what is started now
    try:
        with running_service(wait=False) as service:
            signal.signal(signal.SIGHUP, before)
            assert wait_for(lambda: "REST on" in service.log.read_text())
            service.process.send_signal(signal.SIGHUP)
            with pytest.raises(subprocess.TimeoutExpired):
                service.process.wait(timeout=1.5)
    finally:
        signal.signal(signal.SIGHUP, before)
