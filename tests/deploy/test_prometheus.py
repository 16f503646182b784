"""A real Prometheus with the project's configuration and a real service: dashboard and alerts get all that they ask."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
import yaml

from service.testing.ports import free_loopback_port
from service.testing.running import ServiceProcess, running_service
from tests.conftest import SAMPLES
from tests.deploy.manifests import KUBERNETES
from tests.deploy.monitoring_files import ALERTS, SCRAPES, Prometheus, alerts, dashboard_queries
from tests.deploy.programs import program
from tests.grpc_calls import GrpcCalls, frames_of

PATIENCE_S = 60
FRESH = "15s"  # of rates here, where all is scraped every second
# What this machine, or a service without faults, callers' limits or certificates, has nothing to say about.
SILENT = {
    "Failed in Triton", "GPUs at work", "Memory of GPUs", "Certificates", "Refused before any work", "Alerts",
    "Restarts of Triton", "Share of dropped frames",
}  # fmt: skip


def wait_until(what: str, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.2)


def configuration(address: str, folder: Path) -> Path:
    """Returns the project's prometheus.yml in the folder, with one known target and less time between scrapes."""
    configured = yaml.safe_load(SCRAPES.read_text())
    configured["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configured["rule_files"] = [str(ALERTS)]
    for job in configured["scrape_configs"]:
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [address], "labels": {"namespace": "deephar", "pod": "gateway-0"}}]
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(configured))
    return path


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    command, folder = program("prometheus"), tmp_path_factory.mktemp("prometheus")
    metrics_port, own_port = free_loopback_port(), free_loopback_port()
    with running_service(metrics_port=str(metrics_port)) as service, (folder / "log").open("wb") as log:
        own_address = f"127.0.0.1:{own_port}"
        arguments = [
            f"--config.file={configuration(f'127.0.0.1:{metrics_port}', folder)}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address={own_address}",
        ]
        process = subprocess.Popen([command, *arguments], stdout=log, stderr=subprocess.STDOUT)
        try:
            found = Prometheus(f"http://{own_address}")
            wait_until("Prometheus is ready", found.ready)
            wait_until("both jobs are up", lambda: found.targets_up() == {"deephar": "up", "triton": "up"})
            # Twice: rates need what has grown since the first scrape that knows of it.
            for _ in range(2):
                use(service)
                time.sleep(2.5)
            yield found
        finally:
            process.terminate()
            process.wait(timeout=30)
            print((folder / "log").read_text())


def use(service: ServiceProcess) -> None:
    picture = (SAMPLES / "person.jpg").read_bytes()
    assert httpx.post(f"{service.url}/v1/pose", files={"image": picture}, timeout=60).status_code == 200
    assert httpx.post(f"{service.url}/v1/pose", content=b"no picture", timeout=60).status_code in (415, 422)
    with GrpcCalls(service.grpc_address) as client:
        events = [event.WhichOneof("event") for event in client.stream(frames_of(str(SAMPLES / "jumping_jacks.mp4")))]
    assert "action" in events


def test_all_panels_show_what_happened(prometheus: Prometheus) -> None:
    silent = {title for title, query in dashboard_queries(FRESH) if not prometheus.ask(query)}
    assert silent <= SILENT


def test_a_request_is_seen_by_route_model_and_code(prometheus: Prometheus) -> None:
    (by_model,) = [query for title, query in dashboard_queries(FRESH) if title == "By model"]
    assert "lite" in {series["metric"]["model"] for series in prometheus.ask(by_model)}
    (by_code,) = [query for title, query in dashboard_queries(FRESH) if title == "By code"]
    assert {"200", "OK"} <= {series["metric"]["code"] for series in prometheus.ask(by_code)}
    (by_route,) = [query for title, query in dashboard_queries(FRESH) if title == "By route"]
    asked = {(series["metric"]["transport"], series["metric"]["route"]) for series in prometheus.ask(by_route)}
    assert ("rest", "/v1/pose") in asked
    assert "grpc" in {transport for transport, _ in asked}


def test_the_routes_that_alerts_look_at_are_those_of_the_service(prometheus: Prometheus) -> None:
    pictures = prometheus.ask('deephar_request_seconds_count{route=~"/v1/pose|.*/EstimatePose"}')
    assert {series["metric"]["route"] for series in pictures} == {"/v1/pose"}
    everything = prometheus.ask('deephar_requests_total{route!~"/healthz|/readyz|/metrics.*|/?grpc.*"}')
    assert not {s["metric"]["route"] for s in everything} & {"/healthz", "/readyz", "/metrics"}


def test_all_alerts_are_asked_and_none_fires(prometheus: Prometheus) -> None:
    for rule in alerts():
        assert prometheus.ask(rule["expr"]) == [], rule["alert"]
    groups = httpx.get(f"{prometheus.url}/api/v1/rules").json()["data"]["groups"]
    states = {rule["name"]: (rule["health"], rule["state"]) for group in groups for rule in group["rules"]}
    assert states == {rule["alert"]: ("ok", "inactive") for rule in alerts()}


def test_the_autoscalers_get_a_number_for_each_gateway(prometheus: Prometheus) -> None:
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter-values.yaml").read_text())
    for rule in values["rules"]["custom"]:
        assert prometheus.ask(rule["seriesQuery"]), rule["name"]
        query = rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="deephar",pod=~"gateway-0"')
        (series,) = prometheus.ask(query.replace("<<.GroupBy>>", "pod"))
        assert series["metric"] == {"pod": "gateway-0"}
        assert 0 <= float(series["value"][1]) < 1
