"""docker-compose.yml for real: it builds, serves, and mends itself. Skipped where there is no Docker engine."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.docker
PICTURE = ROOT / "samples" / "person.jpg"
PATIENCE_S = 300
CPU, GPU = {"gateway", "triton"}, {"gateway-gpu", "triton-gpu", "build-engines"}
# The shell's own settings must not choose what is tested. An older docker-compose uses BuildKit only when asked to.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPHAR_", "COMPOSE_"))}
ENVIRONMENT |= {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}


def run(*command: str, **variables: str) -> str:
    """What the command prints; where it fails, the test fails with all that it said."""
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def works(*command: str) -> bool:
    return shutil.which(command[0]) is not None and not subprocess.run(command, capture_output=True).returncode


def free_ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as first, socket.create_server(("127.0.0.1", 0)) as second:
        return first.getsockname()[1], second.getsockname()[1]


def wait_until(what: str, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {PATIENCE_S} s: {what}"
        time.sleep(0.5)


class Stack:
    """A project of compose with a name and ports of its own, beside any other on this machine."""

    def __init__(self, compose: tuple[str, ...], *options: str, **variables: str) -> None:
        self.http_port, self.grpc_port = free_ports()
        self._command = (*compose, "-p", f"deephar-test-{self.http_port}", *options)
        ports = {"DEEPHAR_HTTP_PORT": str(self.http_port), "DEEPHAR_GRPC_PORT": str(self.grpc_port)}
        self._variables = variables | ports

    def __call__(self, *arguments: str) -> str:
        return run(*self._command, *arguments, **self._variables)

    def remove(self) -> None:
        self("down", "-v", "--remove-orphans", "--rmi", "local")

    def inspect(self, service: str, what: str) -> str:
        return run("docker", "inspect", "-f", f"{{{{ {what} }}}}", self("ps", "-q", service).strip()).strip()

    def services(self) -> set[str]:
        label = '{{ index .Config.Labels "com.docker.compose.service" }}'
        return set(run("docker", "inspect", "-f", label, *self("ps", "-aq").split()).split())

    def crash(self, service: str) -> None:
        """Kills the service's processes and waits for Docker to start it again (after a `docker kill` it would not)."""
        before = self.inspect(service, ".RestartCount")
        subprocess.run(["docker", "exec", self("ps", "-q", service).strip(), "sh", "-c", "kill -9 -1"], check=False)
        wait_until(f"{service} starts again", lambda: self.inspect(service, ".RestartCount") != before)

    def python(self, service: str, code: str) -> str:
        return self("exec", "-T", service, "python", "-c", code).strip()

    def ready(self) -> bool:
        try:
            return httpx.get(f"http://127.0.0.1:{self.http_port}/readyz", timeout=5).is_success
        except httpx.TransportError:
            return False

    def pose(self) -> httpx.Response:
        with PICTURE.open("rb") as picture:
            return httpx.post(f"http://127.0.0.1:{self.http_port}/v1/pose", files={"image": picture}, timeout=60)

    def serves(self) -> None:
        wait_until("ready", self.ready)
        answer = self.pose()
        if answer.status_code == 503:  # a crash so new that the gateway only learns of it by this request
            wait_until("ready", self.ready)
            answer = self.pose()
        assert answer.status_code == 200, answer.text
        assert answer.json()["people"], answer.text


@pytest.fixture(scope="module")
def compose() -> tuple[str, ...]:
    for command in (("docker", "compose"), ("docker-compose",)):
        if works(*command, "version"):
            return command
    pytest.skip("neither `docker compose` nor `docker-compose` is installed")


@pytest.fixture(scope="module")
def engine(compose: tuple[str, ...]) -> tuple[str, ...]:
    if not works("docker", "info"):
        pytest.skip("no Docker engine answers (`docker info` fails)")
    return compose


@pytest.fixture(scope="module")
def stack(engine: tuple[str, ...]) -> Iterator[Stack]:
    stack = Stack(engine)
    try:
        stack("up", "-d", "--build")
        yield stack
    finally:
        print(stack("logs", "--tail", "100"))
        stack.remove()


@pytest.mark.parametrize("profile", ["cpu", "gpu"])
def test_the_file_is_valid(compose: tuple[str, ...], profile: str) -> None:
    run(*compose, "config", "--quiet", COMPOSE_PROFILES=profile)


def test_plain_up_starts_the_cpu_profile(stack: Stack) -> None:
    assert stack.services() == CPU


@pytest.mark.parametrize(
    ("options", "variables"),
    [(["--profile", "gpu"], {}), ([], {"COMPOSE_PROFILES": "gpu"})],
    ids=["option", "variable"],
)
def test_the_gpu_profile_comes_alone(engine: tuple[str, ...], options: list[str], variables: dict[str, str]) -> None:
    # Nothing is started, so any image will do for the large one.
    stack = Stack(engine, *options, TRITON_GPU_IMAGE="python:3.11-slim-bookworm", **variables)
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


def test_rest_answers(stack: Stack) -> None:
    stack.serves()


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


def test_triton_listens_on_loopback_only(stack: Stack) -> None:
    wait_until("ready", stack.ready)
    address = stack.inspect("gateway", "range .NetworkSettings.Networks }}{{ .IPAddress }}{{ end")
    connect = "import socket; print([socket.socket().connect_ex((host, port)) for host, port in {}])"
    reached = stack.python("gateway", connect.format([(address, 8080), ("127.0.0.1", 8001), (address, 8001)]))
    assert reached == "[0, 0, 111]", "111: refused"


@pytest.mark.parametrize("service", ["triton", "gateway"])
def test_comes_back_after_a_crash(stack: Stack, service: str) -> None:
    """After the gateway's crash Triton has to notice that its network is gone, and follow."""
    stack.serves()
    stack.crash(service)
    stack.serves()
