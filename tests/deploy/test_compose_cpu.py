"""The profile cpu for real: it builds, serves, and mends itself."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.deploy.stack import Stack, run, wait_until

pytestmark = pytest.mark.docker
CPU = {"gateway-cpu", "triton-cpu"}
FIRST_POSE_S = 30.0  # from `docker compose up` on built images to a right answer


@pytest.fixture(scope="module")
def stack(engine: tuple[str, ...]) -> Iterator[Stack]:
    stack = Stack(engine)
    try:
        stack("build")
        yield stack
    finally:
        print(stack("logs", "--tail", "100"))
        stack.remove()


def test_plain_up_serves_within_half_a_minute(stack: Stack) -> None:
    started = time.monotonic()
    stack("up", "-d")
    stack.serves()
    took = time.monotonic() - started
    print(f"first pose after {took:.1f} s")
    assert took < FIRST_POSE_S
    assert stack.services() == CPU


def test_grpc_answers(stack: Stack) -> None:
    wait_until("ready", stack.ready)
    with grpc.insecure_channel(f"127.0.0.1:{stack.grpc_port}") as channel:
        answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=10)
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_both_become_healthy(stack: Stack) -> None:
    wait_until("both healthy", lambda: stack("ps").count("(healthy)") == len(CPU))


@pytest.mark.parametrize("service", sorted(CPU))
def test_nothing_runs_as_root_or_can_write(stack: Stack, service: str) -> None:
    processes = run("docker", "top", stack.inspect(service, ".Id"), "-eo", "pid,uid").splitlines()[1:]
    assert {line.split()[1] for line in processes} == {"10001"}
    with pytest.raises(AssertionError, match="Read-only file system"):
        stack.python(service, "open('/app/new', 'w')")


@pytest.mark.parametrize("service", sorted(CPU))
def test_memory_processes_and_logs_are_limited(stack: Stack, service: str) -> None:
    host = json.loads(stack.inspect(service, "json .HostConfig"))
    assert (host["Memory"], host["PidsLimit"]) == (8 * 2**30, 1024)
    assert host["LogConfig"] == {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "3"}}
    assert (host["CapDrop"], host["SecurityOpt"]) == (["ALL"], ["no-new-privileges:true"])


def test_only_loopback_is_published_and_metrics_are_not(stack: Stack) -> None:
    published = json.loads(stack.inspect("gateway-cpu", "json .NetworkSettings.Ports"))
    assert {port: [place["HostIp"] for place in places] for port, places in published.items() if places} == {
        "8080/tcp": ["127.0.0.1"],
        "8081/tcp": ["127.0.0.1"],
    }


def test_triton_listens_on_loopback_only(stack: Stack) -> None:
    wait_until("ready", stack.ready)
    networks = json.loads(stack.inspect("gateway-cpu", "json .NetworkSettings.Networks"))
    addresses = [network["IPAddress"] for network in networks.values()]
    assert len(addresses) == 2
    places = [("127.0.0.1", 8001), *((address, port) for address in addresses for port in (8080, 8001))]
    connect = f"import socket; print([socket.socket().connect_ex(place) for place in {places}])"
    assert stack.python("gateway-cpu", connect) == "[0, 0, 111, 0, 111]", "111: refused"


def test_prometheus_finds_it_by_the_name_gateway(stack: Stack) -> None:
    networks = json.loads(stack.inspect("gateway-cpu", "json .NetworkSettings.Networks"))
    (metrics,) = [network for name, network in networks.items() if name.endswith("_metrics")]
    assert "gateway" in metrics["Aliases"]


@pytest.mark.parametrize("service", ["triton-cpu", "gateway-cpu"])
def test_comes_back_after_a_crash(stack: Stack, service: str) -> None:
    """After the gateway's crash Triton has to notice that its network is gone, and follow."""
    stack.serves()
    stack.crash(service)
    stack.serves()


def test_nobody_serves_others_without_keys(stack: Stack) -> None:
    open_to_all = Stack(stack.command[:-2], DEEPHAR_HOST="0.0.0.0")
    try:
        open_to_all("up", "-d", "gateway-cpu")
        text = "DEEPHAR_PUBLISHED_HOST=0.0.0.0 lets others use the service, and it asks for no key."
        wait_until("it is refused", lambda: text in open_to_all("logs", "gateway-cpu"), 30)
        assert not open_to_all.ready()
    finally:
        open_to_all.remove()
