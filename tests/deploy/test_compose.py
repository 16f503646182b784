"""docker-compose.yml and the images, without running the service."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator

import pytest

from tests.deploy.stack import PYTHON_IMAGE, ROOT, Stack, run

pytestmark = pytest.mark.docker
GPU = {"gateway-gpu", "triton-gpu", "build-engines"}
LARGEST_GATEWAY = 600e6  # bytes, unpacked
OFFICIAL_PYTHON = 130e6  # bytes of python:3.11-slim-bookworm, unpacked; what stands in for it may be larger
VERSION, REVISION = "1.2.3", "0123456789abcdef"


@pytest.fixture(scope="module")
def built(engine: tuple[str, ...]) -> Iterator[dict[str, dict[str, object]]]:
    """Images by their service, as Docker describes them."""
    stack = Stack(engine, "--profile", "cpu", "--profile", "proxy", IMAGE_VERSION=VERSION, IMAGE_REVISION=REVISION)
    try:
        stack("build")
        project = stack.command[-1]
        images = {}
        for service in ("gateway-cpu", "triton-cpu", "gateway"):
            listed = run("docker", "images", "-q", f"{project}*{service}").split()
            (images[service],) = json.loads(run("docker", "inspect", listed[0]))
        yield images
    finally:
        stack.remove()


@pytest.mark.parametrize("profiles", ["cpu", "gpu", "proxy", "cpu,monitoring", "gpu,monitoring", "proxy,monitoring"])
def test_the_file_is_valid(compose: tuple[str, ...], profiles: str) -> None:
    run(*compose, "config", "--quiet", COMPOSE_PROFILES=profiles)


@pytest.mark.parametrize("service", ["gateway-cpu", "triton-cpu", "gateway"])
def test_images_say_what_they_are(built: dict[str, dict[str, dict[str, object]]], service: str) -> None:
    config = built[service]["Config"]
    labels = {
        name.removeprefix("org.opencontainers.image."): value
        for name, value in dict(config["Labels"]).items()  # type: ignore[call-overload]
    }
    assert (labels["version"], labels["revision"], labels["licenses"]) == (VERSION, REVISION, "MIT")
    assert config["User"] == "10001:10001"
    assert config["Healthcheck"]


def test_the_gateway_is_small(built: dict[str, dict[str, int]]) -> None:
    base = int(run("docker", "image", "inspect", "-f", "{{ .Size }}", PYTHON_IMAGE))
    assert built["gateway-cpu"]["Size"] - base + OFFICIAL_PYTHON <= LARGEST_GATEWAY


@pytest.mark.parametrize(
    ("options", "variables"),
    [(["--profile", "gpu"], {}), ([], {"COMPOSE_PROFILES": "gpu"})],
    ids=["option", "variable"],
)
def test_the_gpu_profile_comes_alone(engine: tuple[str, ...], options: list[str], variables: dict[str, str]) -> None:
    # Nothing is started, so any image will do for the large one.
    stack = Stack(engine, *options, TRITON_GPU_IMAGE=PYTHON_IMAGE, **variables)
    try:
        stack("build")
        stack("create")
        assert stack.services() == GPU
        # What builds the engines has all it needs, but for what only the large image has. It runs without a GPU here.
        builder = run("docker", "inspect", "-f", "{{ .Image }}", stack("ps", "-aq", "build-engines").strip()).strip()
        code = [f"-v={ROOT / part}:/app/{part}:ro" for part in ("models", "service")]
        mounts = [*code, f"-v={ROOT / 'model_repository'}:/models:ro"]
        command = ["docker", "run", "--rm", "--read-only", "--network=none", *mounts, builder]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert "TensorRT is not installed here (No module named 'tensorrt')" in done.stderr
    finally:
        stack.remove()


def test_an_older_docker_builds_no_more_than_it_needs() -> None:
    """Without BuildKit every stage down to the target is built: the one of Triton's large image comes last."""
    stages = [line for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("FROM ")]
    assert [line.split()[-1] for line in stages if "TRITON_GPU_IMAGE" in line] == [stages[-1].split()[-1]]
