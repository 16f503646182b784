"""Programs of the system that tests of deploy/ need; `.ci/run` installs them."""

from __future__ import annotations

import shutil

import pytest

PACKAGES = {
    "kubectl": "kubernetes-client",
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "systemd-analyze": "systemd",
}


def program(name: str) -> str:
    """Returns the program's path; where it is missing, the test is skipped with the package that has it."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (Debian: apt-get install {PACKAGES[name]})")
    return found
