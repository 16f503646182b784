"""deploy/kubernetes: what kubectl renders is valid, and says of the service what is so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import jsonschema
import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import yaml
from deephar.version import __version__

from service.settings import Settings
from tests.deploy.manifests import (
    FOLDERS,
    GATEWAYS,
    ROOT,
    chosen,
    containers,
    gateway,
    named,
    of_kind,
    overlay,
    pods,
    rendered,
    variables,
)
from tests.deploy.monitoring_files import ALERTS, DASHBOARD

SCHEMAS = Path(__file__).parent / "schemas"
OLD, NEW = "1.25", kubernetes_validate.latest_version()
STOPPING_S = 10  # that parts of the service need to stop after DEEPHAR_SHUTDOWN_GRACE_S, as in docker-compose.yml
UNITS = {"m": 1e-3, "": 1, "Mi": 2**20, "Gi": 2**30}


def amount(quantity: str | int) -> float:
    number, unit = re.fullmatch(r"(\d+)(\D*)", str(quantity)).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def settings_of(name: str) -> Settings:
    """Returns the settings of the overlay's gateways, as the gateway itself reads them."""
    given = {variable: value for variable, value in variables(overlay(name)) if variable.startswith("DEEPHAR_")}
    return Settings.model_validate(
        {variable.removeprefix("DEEPHAR_").lower(): value for variable, value in given.items()}
    )


@pytest.mark.parametrize("version", [OLD, NEW])
@pytest.mark.parametrize("folder", FOLDERS)
def test_every_document_is_valid(folder: str, version: str) -> None:
    for manifest in rendered(folder):
        own = SCHEMAS / f"{manifest['kind'].lower()}.json"
        if own.exists():
            jsonschema.validate(manifest, json.loads(own.read_text()))
        else:
            kubernetes_validate.validate(manifest, version, strict=True)


def test_a_wrong_field_would_be_found() -> None:
    manifest = json.loads(json.dumps(named(overlay("cpu"), "Deployment", "gateway")))
    manifest["spec"]["template"]["spec"]["containers"][0]["readynessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="readynessProbe"):
        kubernetes_validate.validate(manifest, NEW, strict=True)


def test_the_pods_of_the_serving_runtime_are_valid() -> None:
    runtime = named(rendered("kserve"), "ServingRuntime", "deephar-triton")["spec"]
    spec = {name: runtime[name] for name in ("containers", "volumes", "nodeSelector", "tolerations")}
    kubernetes_validate.validate(
        {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "models"}, "spec": spec}, NEW, strict=True
    )


@pytest.mark.parametrize("folder", FOLDERS)
def test_all_is_in_one_namespace_and_no_name_comes_twice(folder: str) -> None:
    names = [(manifest["kind"], manifest["metadata"]["name"]) for manifest in rendered(folder)]
    assert len(names) == len(set(names))
    spaces = {m["metadata"].get("namespace") for m in rendered(folder) if m["kind"] != "Namespace"}
    assert spaces == {"deephar"}


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_setting_is_one_of_the_service(name: str) -> None:
    given = {variable for variable, _ in variables(overlay(name)) if variable.startswith("DEEPHAR_")}
    assert given <= {f"DEEPHAR_{field.upper()}" for field in Settings.model_fields}
    settings = settings_of(name)
    assert settings.host == settings.metrics_host == "0.0.0.0"


@pytest.mark.parametrize("name", GATEWAYS)
def test_services_of_the_namespace_set_no_variables(name: str) -> None:
    """A Service named deephar-... would give every pod variables DEEPHAR_..., and no gateway would start."""
    assert {pod["spec"].get("enableServiceLinks") for pod in pods(overlay(name)).values()} == {False}


@pytest.mark.parametrize("name", GATEWAYS)
def test_probes_ask_the_service_where_it_answers(name: str) -> None:
    container, settings = gateway(overlay(name)), settings_of(name)
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"http": settings.http_port, "grpc": settings.grpc_port, "metrics": settings.metrics_port}
    probes = {kind: container[f"{kind}Probe"]["httpGet"] for kind in ("startup", "readiness", "liveness")}
    assert {probe["port"] for probe in probes.values()} == {"http"}
    # Where Triton is in other pods, a gateway that waits for it must not be restarted for that.
    started = "/healthz" if name.startswith("gpu") else "/readyz"
    assert {kind: probe["path"] for kind, probe in probes.items()} == {
        "startup": started,
        "readiness": "/readyz",
        "liveness": "/healthz",
    }


@pytest.mark.parametrize("name", GATEWAYS)
def test_a_gateway_has_the_time_it_needs_to_stop(name: str) -> None:
    pod = pods(overlay(name))["gateway"]["spec"]
    command, seconds = gateway(overlay(name))["lifecycle"]["preStop"]["exec"]["command"]
    assert command == "sleep"
    needed = int(seconds) + settings_of(name).shutdown_grace_s + STOPPING_S
    assert pod["terminationGracePeriodSeconds"] >= needed


@pytest.mark.parametrize("name", GATEWAYS)
def test_uploads_have_room(name: str) -> None:
    settings, pod = settings_of(name), pods(overlay(name))["gateway"]["spec"]
    needed = settings.max_streams * settings.max_video_bytes
    (room,) = [volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "tmp"]
    assert needed <= amount(room) <= amount(gateway(overlay(name))["resources"]["limits"]["ephemeral-storage"])


@pytest.mark.parametrize("name", GATEWAYS)
def test_no_container_is_root_or_may_become_more_than_it_is(name: str) -> None:
    for pod in pods(overlay(name)).values():
        user = pod["spec"]["securityContext"]
        assert user["runAsNonRoot"]
        assert user["runAsUser"] > 0
        assert user["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["spec"]["automountServiceAccountToken"] is False
        for container in containers(pod):
            context = container["securityContext"]
            assert context["runAsNonRoot"]
            assert context["readOnlyRootFilesystem"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_container_has_requests_and_limits(name: str) -> None:
    for pod in pods(overlay(name)).values():
        for container in containers(pod):
            requests, limits = container["resources"]["requests"], container["resources"]["limits"]
            for what in ("cpu", "memory"):
                assert 0 < amount(requests[what]) <= amount(limits[what])


@pytest.mark.parametrize("name", GATEWAYS)
def test_what_pods_mount_is_there(name: str) -> None:
    manifests = overlay(name)
    claims = {claim["metadata"]["name"] for claim in of_kind(manifests, "PersistentVolumeClaim")}
    for pod in pods(manifests).values():
        volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
        mounted = {mount["name"] for container in containers(pod) for mount in container.get("volumeMounts", [])}
        assert mounted == set(volumes)
        wanted = {
            volume["persistentVolumeClaim"]["claimName"]
            for volume in volumes.values()
            if "persistentVolumeClaim" in volume
        }
        assert wanted <= claims


@pytest.mark.parametrize("name", GATEWAYS)
def test_keys_come_from_a_secret_that_must_be_there(name: str) -> None:
    manifests = overlay(name)
    (keys,) = [volume for volume in pods(manifests)["gateway"]["spec"]["volumes"] if volume["name"] == "keys"]
    assert keys["secret"]["secretName"] == "deephar-keys"
    assert not keys["secret"].get("optional")
    (mount,) = [mount for mount in gateway(manifests)["volumeMounts"] if mount["name"] == "keys"]
    assert "subPath" not in mount  # with it a changed Secret would not arrive
    assert settings_of(name).keys == Path(mount["mountPath"]) / "keys.toml"
    assert not of_kind(manifests, "Secret")


@pytest.mark.parametrize("name", GATEWAYS)
def test_every_image_has_a_version_and_ours_that_of_the_service(name: str) -> None:
    images = {container["image"] for pod in pods(overlay(name)).values() for container in containers(pod)}
    targets = set(re.findall(r"^FROM .* AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)) | {"models"}
    for image in images:
        place, _, tag = image.rpartition(":")
        assert re.fullmatch(r"\d[\w.-]*", tag), image
        if place.startswith("deephar-serve/"):
            assert tag == __version__, image
            assert place.removeprefix("deephar-serve/") in targets, image


def test_there_is_one_triton_of_nvidia_and_it_is_new_enough() -> None:
    kubernetes = [
        pods(overlay("gpu"))["triton"]["spec"],
        named(rendered("kserve"), "ServingRuntime", "deephar-triton")["spec"],
    ]
    images = {spec["containers"][0]["image"] for spec in kubernetes}
    # Engines run in the TensorRT that built them.
    images |= set(re.findall(r"^ARG TRITON_GPU_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE))
    (image,) = images
    year, month = re.fullmatch(r"nvcr\.io/nvidia/tritonserver:(\d+)\.(\d+)-py3", image).groups()  # type: ignore[union-attr]
    assert (int(year), int(month)) >= (25, 10)


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name.startswith("cpu")])
def test_an_embedded_triton_is_reached_by_nobody_else(name: str) -> None:
    assert settings_of(name).triton_url == ""
    (models,) = [mount for mount in gateway(overlay(name))["volumeMounts"] if mount["name"] == "models"]
    assert Path(models["mountPath"]) == settings_of(name).model_repository
    assert gateway(overlay(name))["image"].startswith("deephar-serve/all-in-one:")
    ports = [port["port"] for service in of_kind(overlay(name), "Service") for port in service["spec"]["ports"]]
    assert set(ports) == {8080, 8081, 8082}


@pytest.mark.parametrize("name", [name for name in GATEWAYS if name.startswith("gpu")])
def test_gateways_find_every_triton_by_one_name(name: str) -> None:
    host, _, port = settings_of(name).triton_url.partition(":")
    service = named(overlay(name), "Service", host)["spec"]
    assert service["clusterIP"] == "None"
    assert int(port) in [entry["port"] for entry in service["ports"]]
    assert list(chosen(service["selector"], list(pods(overlay(name)).values()))) == [pods(overlay(name))["triton"]]


def test_engines_are_built_where_triton_and_readiness_look_for_them() -> None:
    manifests = overlay("gpu")
    job, triton = pods(manifests)["build-engines"]["spec"], pods(manifests)["triton"]["spec"]
    claims = [
        (volume["persistentVolumeClaim"]["claimName"], mount["mountPath"])
        for spec in (job, triton, pods(manifests)["gateway"]["spec"])
        for volume in spec["volumes"]
        for mount in spec["containers"][0]["volumeMounts"]
        if volume["name"] == mount["name"] == "engines"
    ]
    assert claims == [("engines", "/engines")] * 3
    assert settings_of("gpu").engines == Path("/engines")
    assert "--engines=/engines" in job["containers"][0]["command"]
    assert {"name": "MODEL_REPOSITORY", "value": "/engines"} in triton["containers"][0]["env"]
    flags = [flag.split("=")[0] for flag in job["containers"][0]["command"] if flag.startswith("--")]
    source = (ROOT / "models" / "tensorrt_engine" / "command.py").read_text()
    assert [flag for flag in flags if f'"{flag}"' not in source] == []
    for spec in (job, triton):
        assert spec["containers"][0]["resources"]["limits"]["nvidia.com/gpu"] == 1
        assert (spec["nodeSelector"], spec["tolerations"]) == (triton["nodeSelector"], triton["tolerations"])


def test_the_rules_of_the_operator_are_those_of_plain_prometheus() -> None:
    assert named(overlay("monitoring"), "PrometheusRule", "deephar")["spec"] == yaml.safe_load(ALERTS.read_text())


def test_grafana_gets_the_dashboard_and_kubectl_apply_can_carry_it() -> None:
    dashboard = named(overlay("monitoring"), "ConfigMap", "deephar-dashboard")
    assert dashboard["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert dashboard["data"] == {"deephar.json": DASHBOARD.read_text()}
    assert len(json.dumps(dashboard)) < 256 * 2**10  # as much as `apply` keeps in an annotation
