"""The profile monitoring for real: a request shows in Prometheus, asked as the dashboard asks.

Grafana is not started: its dashboard's own form is checked in test_monitoring.py.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import httpx
import pytest

from tests.deploy.monitoring_files import Prometheus, dashboard_queries, metrics_in
from tests.deploy.stack import PICTURE, ROOT, Stack, image_or_stand_in, run, wait_until
from tests.grpc_calls import GrpcCalls, frames_of

pytestmark = pytest.mark.docker
SEEN_S = 30.0  # within which a request shows: Prometheus asks every five seconds
RATE_S = 60.0  # until rates over a minute have two samples
# What requests change; the others are empty without a GPU, certificates, refusals or alerts.
OF_REQUESTS = {"deephar_requests_total", "deephar_request_seconds_bucket", "deephar_stage_seconds_sum", "deephar_info"}
OF_REQUESTS |= {"deephar_stage_seconds_bucket", "deephar_triton_calls_total", "deephar_batch_size_sum", "up"}
OF_REQUESTS |= {"deephar_lag_seconds_bucket", "deephar_requests_in_flight", "deephar_ready", "deephar_model_ready"}


@pytest.fixture(scope="module")
def stack(engine: tuple[str, ...]) -> Iterator[Stack]:
    image = image_or_stand_in("prom/prometheus:v3.5.0", "prometheus")
    stack = Stack(engine, "--profile", "cpu", "--profile", "monitoring", PROMETHEUS_IMAGE=image)
    try:
        stack("up", "-d", "gateway-cpu", "triton-cpu", "prometheus")
        stack.serves()
        yield stack
    finally:
        print(stack("logs", "--tail", "50"))
        stack.remove()


@pytest.fixture(scope="module")
def prometheus(stack: Stack) -> Prometheus:
    """Prometheus, which has seen requests over REST and gRPC, and a stream."""
    prometheus = Prometheus(f"http://127.0.0.1:{stack.prometheus_port}")
    wait_until("it is ready", prometheus.ready)
    wait_until("the gateway is seen", lambda: bool(prometheus.ask('up{job="deephar"} == 1')), SEEN_S)
    answer = stack.pose()
    assert answer.status_code == 200
    with GrpcCalls(f"127.0.0.1:{stack.grpc_port}") as client:
        client.pose(PICTURE.read_bytes())
        assert list(client.stream(frames_of(str(ROOT / "samples" / "jumping_jacks.mp4"))))
    return prometheus


def test_a_request_shows(prometheus: Prometheus) -> None:
    asked = 'deephar_requests_total{transport="rest", route="/v1/pose", model="lite", code="200"} >= 1'
    wait_until("the request is seen", lambda: bool(prometheus.ask(asked)), SEEN_S)


def test_every_query_of_the_dashboard_is_answered(stack: Stack, prometheus: Prometheus) -> None:
    queries = [(title, query) for title, query in dashboard_queries() if set() < metrics_in(query) <= OF_REQUESTS]
    assert len(queries) > 10

    deadline = time.monotonic() + RATE_S
    while empty := [title for title, query in queries if not prometheus.ask(query)]:
        assert time.monotonic() < deadline, f"nothing after {RATE_S:g} s: {empty}"
        stack.pose()
        with GrpcCalls(f"127.0.0.1:{stack.grpc_port}") as client:
            list(client.stream(frames_of(str(ROOT / "samples" / "jumping_jacks.mp4"))))
    for _, query in dashboard_queries():
        prometheus.ask(query)


def test_both_jobs_are_asked_and_no_rule_fails(prometheus: Prometheus) -> None:
    wait_until("both are up", lambda: prometheus.targets_up() == {"deephar": "up", "triton": "up"}, SEEN_S)
    groups = httpx.get(f"{prometheus.url}/api/v1/rules", timeout=10).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert rules
    assert {rule["health"] for rule in rules} <= {"ok", "unknown"}


def test_it_is_published_on_loopback_and_runs_without_rights(stack: Stack) -> None:
    published = json.loads(stack.inspect("prometheus", "json .NetworkSettings.Ports"))
    assert {place["HostIp"] for places in published.values() for place in places or []} == {"127.0.0.1"}
    processes = run("docker", "top", stack.inspect("prometheus", ".Id"), "-eo", "pid,uid").splitlines()[1:]
    assert {line.split()[1] for line in processes} == {"65534"}


def test_metrics_have_a_port_of_their_own_that_is_not_published(stack: Stack) -> None:
    code = "import urllib.request as u; print(b'deephar_ready' in u.urlopen('http://127.0.0.1:8082/metrics').read())"
    assert stack.python("gateway-cpu", code) == "True"
    published = json.loads(stack.inspect("gateway-cpu", "json .NetworkSettings.Ports"))
    assert {port for port, places in published.items() if places} == {"8080/tcp", "8081/tcp"}
