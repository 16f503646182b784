"""deploy/kubernetes: who reaches whom, who is scaled by what, and that all that is chosen by labels is there."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from service.telemetry.metrics import METRICS
from tests.deploy.manifests import (
    FOLDERS,
    GATEWAYS,
    KUBERNETES,
    Manifest,
    chosen,
    gateway,
    labels,
    named,
    of_kind,
    overlay,
    pods,
    rendered,
)
from tests.deploy.monitoring_files import SCRAPES, metrics_in

MONITORING = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}
FROM_GATEWAYS = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "gateway"}}}
GPU = [name for name in GATEWAYS if name.startswith("gpu")]


def who_reaches(manifests: list[Manifest], pod: Manifest) -> dict[int, list[Any]]:
    """Returns whom the policies let in at each of the pod's ports; None stands for everybody."""
    found: dict[int, list[Any]] = {}
    for policy in of_kind(manifests, "NetworkPolicy"):
        if chosen(policy["spec"]["podSelector"].get("matchLabels") or {}, [pod]):
            for rule in policy["spec"].get("ingress") or []:
                for port in rule["ports"]:
                    found.setdefault(port["port"], []).extend(rule.get("from", [None]))
    return found


def whom_it_reaches(manifests: list[Manifest], pod: Manifest) -> set[tuple[str, int]]:
    """Returns the names of pods, or what else the policies name, and the ports at which they may be reached."""
    found = set()
    for policy in of_kind(manifests, "NetworkPolicy"):
        if chosen(policy["spec"]["podSelector"].get("matchLabels") or {}, [pod]):
            for rule in policy["spec"].get("egress") or []:
                for to in rule.get("to", [{}]):
                    name = to.get("podSelector", {}).get("matchLabels", {}).get("app.kubernetes.io/name")
                    found |= {(name or next(iter(to), "anything"), port["port"]) for port in rule["ports"]}
    return found


@pytest.mark.parametrize("name", GATEWAYS)
def test_nothing_is_allowed_that_no_policy_names(name: str) -> None:
    spec = named(overlay(name), "NetworkPolicy", "default-deny")["spec"]
    assert spec == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}


@pytest.mark.parametrize("name", GATEWAYS)
def test_callers_reach_rest_and_grpc_and_prometheus_the_metrics(name: str) -> None:
    let_in = who_reaches(overlay(name), pods(overlay(name))["gateway"])
    assert let_in == {8080: [None], 8081: [None], 8082: [MONITORING]}
    assert set(let_in) == {port["containerPort"] for port in gateway(overlay(name))["ports"]}


@pytest.mark.parametrize("name", GPU)
def test_only_gateways_reach_triton(name: str) -> None:
    manifests = overlay(name)
    assert who_reaches(manifests, pods(manifests)["triton"]) == {
        8001: [FROM_GATEWAYS],
        8002: [FROM_GATEWAYS, MONITORING],
    }
    assert {("triton", 8001), ("triton", 8002)} <= whom_it_reaches(manifests, pods(manifests)["gateway"])


def test_who_needs_no_network_has_none() -> None:
    assert whom_it_reaches(overlay("gpu"), pods(overlay("gpu"))["triton"]) == set()
    for name, job in (("gpu", "build-engines"), ("cpu-pvc", "fill-models")):
        assert whom_it_reaches(overlay(name), pods(overlay(name))[job]) == set()
        assert who_reaches(overlay(name), pods(overlay(name))[job]) == {}


@pytest.mark.parametrize(("name", "pod"), [("cpu-object-store", "gateway"), ("gpu-object-store", "triton")])
def test_who_fetches_models_reaches_the_store(name: str, pod: str) -> None:
    assert ("anything", 443) in whom_it_reaches(overlay(name), pods(overlay(name))[pod])


def test_gateways_reach_the_models_on_kserve() -> None:
    manifests = rendered("kserve")
    service = named(manifests, "Service", "model-pods")["spec"]
    assert service["clusterIP"] == "None"
    selector = {
        "serving.kserve.io/inferenceservice": named(manifests, "InferenceService", "deephar-models")["metadata"]["name"]
    }
    assert service["selector"] == selector  # a label that KServe gives its pods
    out = named(manifests, "NetworkPolicy", "gateway-to-models")["spec"]["egress"]
    assert out[0]["to"] == [{"podSelector": {"matchLabels": selector}}]
    model = named(manifests, "InferenceService", "deephar-models")["spec"]["predictor"]["model"]
    runtime = named(manifests, "ServingRuntime", model["runtime"])["spec"]
    assert model["modelFormat"] in runtime["supportedModelFormats"]
    assert model["protocolVersion"] in runtime["protocolVersions"]
    # KServe makes a Service of the InferenceService's own name.
    assert not [m for m in of_kind(manifests, "Service") if m["metadata"]["name"].startswith("deephar-models")]


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_selector_chooses_pods(name: str) -> None:
    manifests = overlay(name)
    templates = list(pods(manifests).values())
    for service in of_kind(manifests, "Service"):
        (pod,) = chosen(service["spec"]["selector"], templates)
        ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports
    for budget in of_kind(manifests, "PodDisruptionBudget"):
        assert len(chosen(budget["spec"]["selector"]["matchLabels"], templates)) == 1
        assert budget["spec"]["maxUnavailable"] == 1
    for deployment in of_kind(manifests, "Deployment"):
        template = deployment["spec"]["template"]
        assert chosen(deployment["spec"]["selector"]["matchLabels"], templates) == [template]
        for spread in template["spec"]["topologySpreadConstraints"]:
            assert chosen(spread["labelSelector"]["matchLabels"], templates) == [template]


@pytest.mark.parametrize("name", GATEWAYS)
def test_each_deployment_is_scaled_and_survives_a_drained_node(name: str) -> None:
    manifests = overlay(name)
    for deployment in of_kind(manifests, "Deployment"):
        assert "replicas" not in deployment["spec"]  # applied again, it would undo what the autoscaler did
        own = deployment["metadata"]["name"]
        scaler = named(manifests, "HorizontalPodAutoscaler", own)["spec"]
        assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": own}
        assert scaler["metrics"][0]["type"] == "Pods"
        named(manifests, "PodDisruptionBudget", own)
    assert named(manifests, "HorizontalPodAutoscaler", "gateway")["spec"]["minReplicas"] >= 2


def adapter_rules() -> dict[str, Any]:
    values = yaml.safe_load((KUBERNETES / "prometheus-adapter-values.yaml").read_text())
    return {rule["name"]["as"]: rule for rule in values["rules"]["custom"]}


def test_the_adapter_has_a_rule_for_each_metric_that_scales_and_no_other() -> None:
    asked = {
        metric["pods"]["metric"]["name"]
        for name in GATEWAYS
        for scaler in of_kind(overlay(name), "HorizontalPodAutoscaler")
        for metric in scaler["spec"]["metrics"]
        if metric["type"] == "Pods"
    }
    assert asked == set(adapter_rules())


def test_the_adapter_asks_for_metrics_that_exist() -> None:
    own = {f"{family.name}{suffix}" for family in METRICS.registry.collect() for suffix in ("_sum", "_count")}
    own |= {"nv_inference_queue_duration_us", "nv_inference_request_success"}
    for rule in adapter_rules().values():
        assert metrics_in(rule["seriesQuery"]) | metrics_in(rule["metricsQuery"]) <= own


def test_the_operator_scrapes_ports_that_exist_under_the_jobs_of_plain_prometheus() -> None:
    services = [service for name in GATEWAYS for service in of_kind(overlay(name), "Service")]
    jobs = set()
    for monitor in of_kind(overlay("monitoring"), "ServiceMonitor"):
        found = chosen(monitor["spec"]["selector"]["matchLabels"], services)
        assert found, monitor["metadata"]["name"]
        for endpoint in monitor["spec"]["endpoints"]:
            for service in found:
                assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
            (job,) = [rule["replacement"] for rule in endpoint["relabelings"] if rule["targetLabel"] == "job"]
            jobs.add(job)
    assert jobs == {job["job_name"] for job in yaml.safe_load(SCRAPES.read_text())["scrape_configs"]}


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_triton_is_scraped_once(name: str) -> None:
    """By its own pods or by its gateway: twice, its numbers would count twice."""
    services = of_kind(overlay(name), "Service")
    monitors = of_kind(overlay("monitoring"), "ServiceMonitor")
    of_triton = [
        service["metadata"]["name"]
        for monitor in monitors
        if monitor["spec"]["endpoints"][0]["relabelings"][0]["replacement"] == "triton"
        for service in chosen(monitor["spec"]["selector"]["matchLabels"], services)
    ]
    assert of_triton == (["triton"] if name in GPU else ["gateway-pods"])


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_belongs_to_one_project(folder: str) -> None:
    without = [
        (manifest["kind"], manifest["metadata"]["name"])
        for manifest in rendered(folder)
        if manifest["kind"] != "ConfigMap" and labels(manifest).get("app.kubernetes.io/part-of") != "deephar-serve"
    ]
    assert without == []
