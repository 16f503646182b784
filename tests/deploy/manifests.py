"""What `kubectl kustomize` makes of deploy/kubernetes, and how its parts are found."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.programs import program

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes"
OVERLAYS = sorted(path.name for path in (KUBERNETES / "overlays").iterdir())
GATEWAYS = [name for name in OVERLAYS if name != "monitoring"]  # overlays that bring gateways
FOLDERS = [*(f"overlays/{name}" for name in OVERLAYS), "kserve"]

Manifest = dict[str, Any]


@cache
def rendered(folder: str) -> list[Manifest]:
    """Returns the documents that the folder's kustomization makes; skips where there is no kubectl."""
    done = subprocess.run(
        [program("kubectl"), "kustomize", str(KUBERNETES / folder)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


def overlay(name: str) -> list[Manifest]:
    return rendered(f"overlays/{name}")


def of_kind(manifests: list[Manifest], *kinds: str) -> list[Manifest]:
    return [manifest for manifest in manifests if manifest["kind"] in kinds]


def named(manifests: list[Manifest], kind: str, name: str) -> Manifest:
    (found,) = [manifest for manifest in of_kind(manifests, kind) if manifest["metadata"]["name"] == name]
    return found


def pods(manifests: list[Manifest]) -> dict[str, Manifest]:
    """Returns the pod templates of Deployments and Jobs by the names of those."""
    return {
        manifest["metadata"]["name"]: manifest["spec"]["template"]
        for manifest in of_kind(manifests, "Deployment", "Job")
    }


def containers(pod: Manifest) -> list[Manifest]:
    """Returns the pod's containers, those of its start included."""
    return [*(pod["spec"].get("initContainers") or []), *pod["spec"]["containers"]]


def gateway(manifests: list[Manifest]) -> Manifest:
    (container,) = pods(manifests)["gateway"]["spec"]["containers"]
    return dict(container)


def labels(manifest: Manifest) -> dict[str, str]:
    return dict(manifest["metadata"].get("labels") or {})


def chosen(selector: dict[str, str], things: list[Manifest]) -> list[Manifest]:
    return [thing for thing in things if selector.items() <= labels(thing).items()]


def variables(manifests: list[Manifest]) -> Iterator[tuple[str, str]]:
    """Returns names and values of all environment variables that ConfigMaps and containers set."""
    for settings in of_kind(manifests, "ConfigMap"):
        yield from settings["data"].items()
    for pod in pods(manifests).values():
        for container in containers(pod):
            yield from ((variable["name"], variable["value"]) for variable in container.get("env") or [])
