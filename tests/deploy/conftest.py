"""What the tests of docker-compose.yml need; without a Docker engine they are skipped."""

from __future__ import annotations

import pytest

from tests.deploy.stack import works


@pytest.fixture(scope="session")
def compose() -> tuple[str, ...]:
    for command in (("docker", "compose"), ("docker-compose",)):
        if works(*command, "version"):
            return command
    pytest.skip("neither `docker compose` nor `docker-compose` is installed")


@pytest.fixture(scope="session")
def engine(compose: tuple[str, ...]) -> tuple[str, ...]:
    if not works("docker", "info"):
        pytest.skip("no Docker engine answers (`docker info` fails)")
    return compose
