"""The profile proxy for real: nginx in front of two gateways, each with its own Triton."""

from __future__ import annotations

import functools
import json
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import grpc
import httpx
import pytest
from deephar import Client, Frame
from deephar.events import Event, SegmentEvent
from deephar.v1 import inference_pb2 as pb
from deephar.video import frames_of as client_frames_of
from websockets.sync.client import connect

from tests.deploy.load import Load
from tests.deploy.stack import PICTURE, ROOT, Stack, image_or_stand_in, run, wait_until, works
from tests.grpc_calls import GrpcCalls, frames_of
from tests.integration.sockets import Socket

pytestmark = pytest.mark.docker
VIDEO = ROOT / "samples" / "jumping_jacks.mp4"
FIRST_POSE_S = 30.0
BACK_S = 5.0  # from the loss of a gateway until every request is answered again


@pytest.fixture(scope="module")
def stack(engine: tuple[str, ...]) -> Iterator[Stack]:
    stack = Stack(engine, "--profile", "proxy", NGINX_IMAGE=image_or_stand_in("nginx:1.28", "nginx"))
    try:
        stack("build")
        yield stack
    finally:
        print(stack("logs", "--tail", "50"))
        stack.remove()


@pytest.fixture(scope="module")
def both(stack: Stack) -> Stack:
    """The stack with both gateways ready."""
    started = time.monotonic()
    stack("up", "-d", "--scale", "gateway=2")
    stack.serves()
    assert time.monotonic() - started < FIRST_POSE_S
    wait_until("both are ready", lambda: all(map(ready, stack.containers("gateway"))))
    return stack


def ready(container: str) -> bool:
    return works("docker", "exec", container, "python", "gateway_health.py")


def restart_one_after_another(stack: Stack) -> None:
    for container in stack.containers("gateway"):
        run("docker", "restart", "-t", "30", container)
        wait_until("it is ready again", functools.partial(ready, container))


def test_two_gateways_and_the_proxy_run(both: Stack) -> None:
    assert both.services() == {"gateway", "proxy"}
    assert len(both.containers("gateway")) == 2
    published = json.loads(both.inspect("gateway", "json .NetworkSettings.Ports"))
    assert not any(published.values())
    published = json.loads(both.inspect("proxy", "json .NetworkSettings.Ports"))
    assert {place["HostIp"] for places in published.values() for place in places or []} == {"127.0.0.1"}


@pytest.mark.parametrize("service", ["gateway", "proxy"])
def test_nothing_runs_as_root(both: Stack, service: str) -> None:
    processes = run("docker", "top", both.inspect(service, ".Id"), "-eo", "pid,uid").splitlines()[1:]
    assert {line.split()[1] for line in processes} == {"10001" if service == "gateway" else "101"}
    host = json.loads(both.inspect(service, "json .HostConfig"))
    assert host["ReadonlyRootfs"]
    assert host["CapDrop"] == ["ALL"]
    assert host["LogConfig"]["Config"] == {"max-size": "10m", "max-file": "3"}


def test_triton_of_each_gateway_listens_on_loopback_only(both: Stack) -> None:
    code = """
import pathlib
lines = [line.split() for name in ("tcp", "tcp6") for line in pathlib.Path("/proc/net", name).open()]
places = [line[1].split(":") for line in lines if line[3] == "0A"] # listening
print(sorted({int(port, 16) for address, port in places if not address.endswith("7F")})) # 127.0.0.0/8
"""
    assert both.python("gateway", code) in ("[8080, 8081]", "[8080, 8081, 8082]")


def test_grpc_answers_and_streams(both: Stack) -> None:
    with GrpcCalls(f"127.0.0.1:{both.grpc_port}") as client:
        assert client.pose(PICTURE.read_bytes()).people
        events = [event.WhichOneof("event") for event in client.stream(frames_of(str(VIDEO)))]
    assert events.count("action") > 0
    assert events[-1] == "segment"


def test_a_websocket_streams(both: Stack) -> None:
    with connect(f"ws://127.0.0.1:{both.http_port}/v1/stream", max_size=None) as connection:
        stream = Socket(connection)
        stream.say("config", drop_policy="lossless")
        stream.send(frames_of(str(VIDEO)))
        stream.say("end")
        events = [event["event"] for event in stream.rest()]
    assert "action" in events
    assert events[-1] == "end"


def test_an_uploaded_video_is_answered_event_by_event(both: Stack) -> None:
    url = f"http://127.0.0.1:{both.http_port}/v1/actions"
    headers = {"Accept": "application/x-ndjson", "Content-Type": "video/mp4"}
    with httpx.stream("POST", url, content=VIDEO.read_bytes(), headers=headers, timeout=60) as answer:
        assert answer.status_code == 200
        assert sum(1 for _ in answer.iter_lines()) > 1


def test_a_body_is_passed_on_before_it_is_there(both: Stack) -> None:
    """Nothing of a caller is stored: the gateway refuses by the headers, while the body has yet to come."""
    head = "POST /v1/pose HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 10000000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", both.http_port), timeout=10) as connection:
        connection.sendall(head.encode() + b"\xff" * 1000)
        assert connection.recv(1000).startswith(b"HTTP/1.1 415")


def test_a_body_over_all_limits_is_refused_by_the_proxy(both: Stack) -> None:
    head = f"POST /v1/actions HTTP/1.1\r\nHost: x\r\nContent-Length: {10**12}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", both.http_port), timeout=10) as connection:
        connection.sendall(head.encode())
        answer = connection.recv(2000).decode()
    assert answer.startswith("HTTP/1.1 413")
    assert '"code":"payload_too_large"' in answer


def test_a_rolling_restart_loses_no_request(both: Stack) -> None:
    """Neither by restarting one after the other, nor by new ones beside them."""
    with Load(both.http_port, both.grpc_port) as load:
        restart_one_after_another(both)
        old = both.containers("gateway")
        told = run("sh", "deploy/proxy/roll.sh", COMPOSE=" ".join(both.command), **both.variables)
    assert "2 gateways were replaced" in told
    new = both.containers("gateway")
    assert (len(new), set(old) & set(new)) == (2, set())
    print(f"{len(load.answers)} requests, the longest {load.longest_s:.2f} s")
    assert len(load.answers) > 100
    assert load.failures == {}


def test_a_stream_gets_its_segment_and_unavailable_when_its_gateway_goes(both: Stack) -> None:
    events: list[str] = []
    under_way = threading.Event()

    def frames() -> Iterator[pb.Frame]:
        yield from frames_of(str(VIDEO))
        time.sleep(60)

    def restart() -> None:
        under_way.wait(60)
        restart_one_after_another(both)

    restarting = threading.Thread(target=restart)
    restarting.start()
    error: Any = None
    with GrpcCalls(f"127.0.0.1:{both.grpc_port}") as client:
        try:
            for event in client.stream(frames()):
                events.append(str(event.WhichOneof("event")))
                if events.count("action") == 4:
                    under_way.set()
        except grpc.RpcError as ended:
            error = ended
    restarting.join()
    assert error is not None
    assert error.code() == grpc.StatusCode.UNAVAILABLE, error.details()
    assert events[-1] == "segment"


def test_a_stream_of_the_client_runs_through_a_rolling_update(both: Stack) -> None:
    """It goes on at another gateway; its segments are those of the same frames without an update."""
    read = list(client_frames_of(VIDEO))
    updated = threading.Event()
    sent: list[Frame] = []

    def live() -> Iterator[Frame]:
        number = 0
        while not updated.is_set() or number % len(read):
            sent.append(Frame(read[number % len(read)].picture, number / 25, number))
            yield sent[-1]
            number += 1
            time.sleep(0.04)

    def update() -> None:
        try:
            time.sleep(4)
            run("sh", "deploy/proxy/roll.sh", COMPOSE=" ".join(both.command), **both.variables)
            time.sleep(2)
        finally:
            updated.set()

    old = both.containers("gateway")
    updating = threading.Thread(target=update)
    updating.start()
    with Client(f"127.0.0.1:{both.grpc_port}") as client:
        through = segments_of(client.stream(live()))
        updating.join()
        assert not set(old) & set(both.containers("gateway"))
        assert through == segments_of(client.stream(sent))


def segments_of(events: Iterator[Event]) -> list[tuple[float, float, str, int]]:
    return [(e.start_s, e.end_s, e.label, e.person_id) for e in events if isinstance(e, SegmentEvent)]


def test_one_gateway_is_killed(both: Stack) -> None:
    """What it had in work fails at once and tells so; everybody else is served by the other."""
    victim = both.containers("gateway")[0]
    with Load(both.http_port, both.grpc_port) as load:
        time.sleep(3)
        run("docker", "kill", victim)
        time.sleep(BACK_S)
        failed = load.failures
        time.sleep(5)
    run("docker", "start", victim)
    print(f"failed: {failed}; the longest took {load.longest_s:.2f} s")
    assert sum(failed.values()) <= 4, "one request of each caller"
    assert load.failures == failed, "those after it succeeded"
    assert load.longest_s < BACK_S


def test_the_request_id_passes_through(both: Stack) -> None:
    url = f"http://127.0.0.1:{both.http_port}/v1/models"
    assert httpx.get(url, headers={"X-Request-ID": "camera-7.1"}, timeout=10).headers["X-Request-ID"] == "camera-7.1"


def test_without_a_gateway_the_proxy_says_so(both: Stack) -> None:
    both("stop", "gateway")
    answer = both.pose()
    assert (answer.status_code, answer.headers["Retry-After"], answer.json()["code"]) == (503, "1", "unavailable")
    with GrpcCalls(f"127.0.0.1:{both.grpc_port}") as client, pytest.raises(grpc.RpcError) as refused:
        client.pose(PICTURE.read_bytes())
    error: Any = refused.value
    assert (error.code(), error.details()) == (
        grpc.StatusCode.UNAVAILABLE,
        "no gateway answers; try again in a few seconds",
    )


def test_nobody_serves_others_without_keys(both: Stack) -> None:
    open_to_all = Stack(both.command[:-2], "--profile", "proxy", DEEPHAR_HOST="0.0.0.0")
    try:
        open_to_all("up", "-d", "--no-deps", "gateway")
        text = "DEEPHAR_PUBLISHED_HOST=0.0.0.0 lets others use the service, and it asks for no key."
        wait_until("it is refused", lambda: text in open_to_all("logs", "gateway"), 30)
    finally:
        open_to_all.remove()
