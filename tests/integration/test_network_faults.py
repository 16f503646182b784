"""The network between the gateway and a Triton elsewhere fails: callers learn it, and the service is back at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from service.testing.running import ServiceProcess, running_service
from tests.integration.asking import Asking, asking
from tests.integration.callers import pose
from tests.integration.faulty_proxy import FaultyProxy, faulty_proxy
from tests.integration.namespaces import FAR, Line, line, within
from tests.integration.triton_elsewhere import triton_at
from tests.integration.waiting import wait_for

pytestmark = pytest.mark.faults

TOLD_S, BACK_S = 5.0, 5.0
LONGEST_ANSWER_S = 5.0  # of a request that a fault has met: the error, or the answer
ANSWERS = {(200, ""), (503, "unavailable"), (504, "deadline_exceeded")}
PORT = 8001

Apart = tuple[ServiceProcess, Line]
Proxied = tuple[ServiceProcess, FaultyProxy]


def ready(service: ServiceProcess) -> bool:
    return httpx.get(f"{service.url}/readyz", timeout=5).status_code == 200


def assert_back(service: ServiceProcess, picture: bytes) -> float:
    """Returns after how many seconds from now the service is ready and answers."""
    began = time.monotonic()
    assert wait_for(lambda: ready(service) and pose(service, picture).status_code == 200, BACK_S), (
        service.log.read_text()
    )
    return time.monotonic() - began


@contextmanager
def asked_throughout(service: ServiceProcess, picture: bytes) -> Iterator[Asking]:
    """Asks within the context. Each request gets an answer or an error, in time, and nothing unforeseen is logged."""
    assert wait_for(lambda: ready(service), 20), service.log.read_text()
    with asking(service, picture) as asked:
        assert wait_for(lambda: len(asked.asked) > 3)
        yield asked
        count = len(asked.asked)
        assert wait_for(lambda: len(asked.asked) > count + 3)
    assert asked.answers() <= ANSWERS
    assert asked.longest_s() < LONGEST_ANSWER_S
    assert "Traceback" not in service.log.read_text()


@pytest.fixture(scope="module")
def apart() -> Iterator[Apart]:
    """A gateway on the near host and a Triton on the far one."""
    with line() as cable, ExitStack() as running:
        with within(cable.far):
            running.enter_context(triton_at(FAR, PORT))
        with within(cable.near):
            gateway = running.enter_context(running_service(triton_url=f"{FAR}:{PORT}"))
        yield gateway, cable


@pytest.fixture(scope="module")
def proxied(service: ServiceProcess) -> Iterator[Proxied]:
    with faulty_proxy(service.triton_address()) as proxy, running_service(triton_url=proxy.address) as gateway:
        yield gateway, proxy


@pytest.mark.parametrize("seconds", [2.0, 10.0, pytest.param(40.0, marks=pytest.mark.long)])
@pytest.mark.parametrize(
    ("fail", "mend"), [(Line.lose_all, Line.lose_none), (Line.unplug, Line.plug)], ids=["silent", "unplugged"]
)
def test_a_network_that_was_parted_is_whole_again(
    apart: Apart, person_jpeg: bytes, fail: Callable[[Line], None], mend: Callable[[Line], None], seconds: float
) -> None:
    service, cable = apart
    with within(cable.near), asked_throughout(service, person_jpeg):
        fail(cable)
        try:
            began = time.monotonic()
            told = wait_for(lambda: not ready(service), min(seconds, TOLD_S))
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        finally:
            mend(cable)
        back_s = assert_back(service, person_jpeg)
    assert told or seconds < TOLD_S, service.log.read_text()
    print(f"back {back_s:.1f} s after {seconds:g} s")


@pytest.mark.parametrize("seconds", [1.0, 8.0])
def test_a_proxy_that_stalls_is_waited_for_or_told(proxied: Proxied, person_jpeg: bytes, seconds: float) -> None:
    service, proxy = proxied
    with asked_throughout(service, person_jpeg) as asked:
        proxy.flowing.clear()
        try:
            began = time.monotonic()
            told = wait_for(lambda: not ready(service), min(seconds, TOLD_S))
            time.sleep(max(0.0, began + seconds - time.monotonic()))
        finally:
            proxy.flowing.set()
        back_s = assert_back(service, person_jpeg)
    assert told or seconds < TOLD_S, service.log.read_text()
    assert seconds > 1 or asked.answers() == {(200, "")}
    print(f"back {back_s:.1f} s after {seconds:g} s")


def test_connections_that_are_forgotten_are_made_anew(proxied: Proxied, person_jpeg: bytes) -> None:
    service, proxy = proxied
    with asked_throughout(service, person_jpeg):
        forgotten = time.monotonic()
        proxy.forget()
        assert wait_for(lambda: not proxy.forgotten_are_open(), BACK_S), service.log.read_text()
        assert_back(service, person_jpeg)
        back_s = time.monotonic() - forgotten
        assert back_s < BACK_S
    print(f"back after {back_s:.1f} s")


def test_connections_that_are_reset_are_made_anew(proxied: Proxied, person_jpeg: bytes) -> None:
    service, proxy = proxied
    with asked_throughout(service, person_jpeg):
        for _ in range(5):
            proxy.reset()
            time.sleep(0.3)
        back_s = assert_back(service, person_jpeg)
    print(f"back {back_s:.1f} s after")


@pytest.mark.parametrize("is_answer", [False, True], ids=["request", "answer"])
def test_what_is_cut_off_in_the_middle_is_an_error_or_answered(
    proxied: Proxied, person_jpeg: bytes, is_answer: bool
) -> None:
    service, proxy = proxied
    expected = pose(service, person_jpeg).json()["people"]
    for count in (10, 1_000, 3_000, 50_000, 200_000):
        with asked_throughout(service, person_jpeg):
            proxy.cut_after(count, is_answer)
            assert wait_for(lambda: proxy.has_cut, 30)
            assert_back(service, person_jpeg)
        assert pose(service, person_jpeg).json()["people"] == expected


def test_a_network_that_is_slow_is_no_fault(proxied: Proxied, person_jpeg: bytes) -> None:
    service, proxy = proxied
    with asked_throughout(service, person_jpeg) as asked:
        proxy.delay_s = 0.2
        try:
            proxy.reset()  # connections can be made, too
            assert_back(service, person_jpeg)
            slow = time.monotonic()
            while time.monotonic() < slow + 5:
                assert ready(service), service.log.read_text()
                time.sleep(0.1)
        finally:
            proxy.delay_s = 0.0
        assert {(each.status, each.code) for each in asked.asked if each.began > slow} == {(200, "")}
