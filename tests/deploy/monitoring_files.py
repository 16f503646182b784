"""What the files of deploy/monitoring ask Prometheus, and how it is asked."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import yaml

ROOT = Path(__file__).resolve().parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
DASHBOARD = MONITORING / "grafana" / "dashboards" / "deephar.json"
SCRAPES = MONITORING / "prometheus" / "prometheus.yml"
ALERTS = MONITORING / "prometheus" / "alerts.yml"
_STRINGS = re.compile(r'"[^"]*"')
_METRICS = re.compile(r"\b(?:deephar|nv|process)_\w+")


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def dashboard_queries(rate_interval: str = "1m") -> list[tuple[str, str]]:
    """Returns panels' titles and what they ask, with Grafana's variables filled in as it would."""
    found = [(panel["title"], target["expr"]) for panel in dashboard()["panels"] for target in panel.get("targets", [])]
    found += [(note["name"], note["expr"]) for note in dashboard()["annotations"]["list"]]
    return [
        (title, expression.replace("$__rate_interval", rate_interval).replace("$instance", ".*"))
        for title, expression in found
    ]


def alerts() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def metrics_in(expression: str) -> set[str]:
    return set(_METRICS.findall(_STRINGS.sub("", expression)))


@dataclass
class Prometheus:
    """A running Prometheus, by its HTTP API."""

    url: str

    def ask(self, expression: str) -> list[dict[str, Any]]:
        """Returns the series that the query gives now; a query that Prometheus refuses fails the test."""
        response = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10)
        answer = response.json()
        assert answer["status"] == "success", f"{expression}: {answer}"
        assert answer["data"]["resultType"] == "vector", expression
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found

    def ready(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=5).is_success
        except httpx.TransportError:
            return False

    def targets_up(self) -> dict[str, str]:
        """Returns the health of each job's target: `up`, `down` or `unknown`, with its last error."""
        active = httpx.get(f"{self.url}/api/v1/targets", timeout=5).json()["data"]["activeTargets"]
        return {target["labels"]["job"]: f"{target['health']} {target['lastError']}".strip() for target in active}
