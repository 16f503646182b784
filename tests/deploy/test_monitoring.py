"""The files of deploy/monitoring: their form, their metrics, and when the alerts fire."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import jsonschema
import pytest
import yaml

from service.telemetry.metrics import METRICS
from tests.deploy.monitoring_files import (
    ALERTS,
    MONITORING,
    SCRAPES,
    alerts,
    dashboard,
    dashboard_queries,
    metrics_in,
)
from tests.deploy.programs import program

HERE = Path(__file__).parent
# Of https://docs.nvidia.com/deeplearning/triton-inference-server (Metrics), those that are asked for here.
METRICS_OF_TRITON = {
    "nv_inference_request_success", "nv_inference_request_failure", "nv_inference_count", "nv_inference_exec_count",
    "nv_inference_queue_duration_us", "nv_inference_compute_infer_duration_us", "nv_inference_pending_request_count",
    "nv_gpu_utilization", "nv_gpu_memory_used_bytes", "nv_gpu_memory_total_bytes",
}  # fmt: skip
SUFFIXES = {"counter": ["_total"], "histogram": ["_bucket", "_sum", "_count"], "info": ["_info"], "gauge": [""]}


def metrics_of_the_service() -> dict[str, set[str]]:
    """Returns what /metrics calls the series of each metric."""
    return {
        family.name: {family.name + suffix for suffix in SUFFIXES[family.type]} for family in METRICS.registry.collect()
    }


def test_the_dashboard_has_the_form_that_grafana_takes() -> None:
    jsonschema.validate(dashboard(), json.loads((HERE / "schemas" / "dashboard.json").read_text()))


def test_no_two_panels_have_one_id_or_one_place() -> None:
    panels = dashboard()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [panel["gridPos"] for panel in panels]
    taken = [
        (x, y)
        for place in places
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(taken) == len(set(taken))
    assert max(x for x, _ in taken) < 24


def test_the_targets_of_a_panel_have_different_names() -> None:
    for panel in dashboard()["panels"]:
        names = [target["refId"] for target in panel.get("targets", [])]
        assert len(names) == len(set(names)), panel["title"]


def test_all_metrics_that_are_asked_for_exist() -> None:
    known = METRICS_OF_TRITON.union(*metrics_of_the_service().values())
    asked = [*dashboard_queries(), *((rule["alert"], rule["expr"]) for rule in alerts())]
    unknown = {(title, metric) for title, expression in asked for metric in metrics_in(expression) - known}
    assert not unknown


def test_the_dashboard_shows_every_metric_of_the_service() -> None:
    shown = set().union(*(metrics_in(expression) for _, expression in dashboard_queries()))
    own = {name: series for name, series in metrics_of_the_service().items() if name.startswith("deephar")}
    assert len(own) > 10
    assert not {name for name, series in own.items() if not series & shown}


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    for rule in alerts():
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert set(rule["annotations"]) == {"summary", "description"}, rule["alert"]
    assert len({rule["alert"] for rule in alerts()}) == len(alerts())


def test_prometheus_looks_for_every_gateway_at_its_metrics_port() -> None:
    jobs = {job["job_name"]: job for job in yaml.safe_load(SCRAPES.read_text())["scrape_configs"]}
    assert {name: job["metrics_path"] for name, job in jobs.items()} == {
        "deephar": "/metrics",
        "triton": "/metrics/triton",
    }
    for job in jobs.values():
        (lookup,) = job["dns_sd_configs"]
        assert (lookup["names"], lookup["type"], lookup["port"]) == (["gateway"], "A", 8082)


def test_grafana_finds_its_datasource_and_dashboard() -> None:
    provisioning = MONITORING / "grafana" / "provisioning"
    (source,) = yaml.safe_load((provisioning / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    (provider,) = yaml.safe_load((provisioning / "dashboards" / "deephar.yml").read_text())["providers"]
    assert provider["type"] == "file"
    assert provider["options"]["path"] == "/var/lib/grafana/dashboards"


@pytest.mark.parametrize(
    "arguments",
    [["check", "config", SCRAPES], ["check", "rules", ALERTS], ["test", "rules", HERE / "alerts_test.yml"]],
    ids=["scrapes", "alerts", "when alerts fire"],
)
def test_promtool_finds_no_fault(arguments: list[str | Path]) -> None:
    done = subprocess.run([program("promtool"), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_it_is_tested_when_each_alert_fires() -> None:
    assert set(re.findall(r"Deephar\w+", (HERE / "alerts_test.yml").read_text())) == {
        rule["alert"] for rule in alerts()
    }
