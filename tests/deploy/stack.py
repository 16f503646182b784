"""docker-compose.yml brought up for real: a project of its own, beside any other on this machine."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx

from service.testing.ports import free_loopback_port

ROOT = Path(__file__).resolve().parents[2]
PICTURE = ROOT / "samples" / "person.jpg"
PYTHON_IMAGE = "python:3.11-slim-bookworm"
PATIENCE_S = 90
PULL_S = 120
# The shell's own settings must not choose what is tested. An older docker-compose uses BuildKit only when asked to.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("DEEPHAR_", "COMPOSE_"))}
ENVIRONMENT |= {"DOCKER_BUILDKIT": "1", "COMPOSE_DOCKER_CLI_BUILD": "1"}


def run(*command: str, **variables: str) -> str:
    """Returns what the command prints; where it fails, the test fails with all that it said."""
    done = subprocess.run(command, cwd=ROOT, env=ENVIRONMENT | variables, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def works(*command: str) -> bool:
    return shutil.which(command[0]) is not None and not subprocess.run(command, capture_output=True).returncode


def wait_until(what: str, holds: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.25)


@functools.cache
def image_or_stand_in(image: str, name: str) -> str:
    """Returns the image or, where it cannot be pulled, one of Debian's package of the same program, built here."""
    if works("docker", "image", "inspect", image) or works("timeout", str(PULL_S), "docker", "pull", "-q", image):
        return image
    stand_in = f"deephar-test-{name}"
    run("docker", "build", "-q", "-t", stand_in, "-f", f"tests/deploy/stand_ins/{name}.Dockerfile", "tests/deploy")
    return stand_in


class Stack:
    """A project of compose with a name and ports of its own.

    Args:
        compose: The command of compose.
        options: Those of compose itself, as `--profile`.
        variables: Environment of compose.
    """

    def __init__(self, compose: tuple[str, ...], *options: str, **variables: str) -> None:
        self.http_port, self.grpc_port, self.prometheus_port = (free_loopback_port() for _ in range(3))
        self.command = (*compose, "-p", f"deephar-test-{self.http_port}")
        self._options = options
        ports = {
            "DEEPHAR_HTTP_PORT": str(self.http_port),
            "DEEPHAR_GRPC_PORT": str(self.grpc_port),
            "PROMETHEUS_PORT": str(self.prometheus_port),
        }
        self.variables = ports | variables

    def __call__(self, *arguments: str) -> str:
        return run(*self.command, *self._options, *arguments, **self.variables)

    def remove(self) -> None:
        self("down", "-v", "--remove-orphans", "--rmi", "local")

    def containers(self, *service: str) -> list[str]:
        return self("ps", "-q", *service).split()

    def inspect(self, service: str, what: str) -> str:
        return run("docker", "inspect", "-f", f"{{{{ {what} }}}}", self.containers(service)[0]).strip()

    def services(self) -> set[str]:
        label = '{{ index .Config.Labels "com.docker.compose.service" }}'
        return set(run("docker", "inspect", "-f", label, *self("ps", "-aq").split()).split())

    def crash(self, service: str) -> None:
        """Kills the service's processes and waits for Docker to start it again (after a `docker kill` it would not)."""
        before = self.inspect(service, ".RestartCount")
        subprocess.run(["docker", "exec", self.containers(service)[0], "sh", "-c", "kill -9 -1"], check=False)
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
        """Waits for a right answer. A crash may be so new that the gateway learns of it only by a request."""
        answers = [httpx.Response(503)]

        def answered() -> bool:
            if self.ready():
                answers.append(self.pose())
            return answers[-1].status_code != 503

        wait_until("a pose", answered)
        assert answers[-1].status_code == 200, answers[-1].text
        assert answers[-1].json()["people"], answers[-1].text
