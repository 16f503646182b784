"""What `make` does before anything is installed, and what it hands to the service. Nothing is installed here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def script(file: Path, text: str) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return file


def python_that_says(folder: Path, version: str) -> Path:
    """A Python that takes itself for another version, and notes down whatever else it is asked to do."""
    numbers = ", ".join(version.split("."))
    return script(
        folder / "stub" / "python",
        f"""case "$1" in
  --version) echo "Python {version}" ;;
  -c) exec {sys.executable} -c "import sys; sys.version_info = ({numbers}); exec(sys.argv[1])" "$2" ;;
  *) echo "$@" >> {folder}/asked; exit 1 ;;
esac""",
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What make needs of a fresh clone for the environments of the gateway and of Triton."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "requirements", folder / "requirements")
    for name in ("Makefile", "clients/python/pyproject.toml", "clients/python/src/deephar/version.py"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Without what a make that runs these tests hands on.
    handed_on = ("MAKE", "MFLAGS", "DEEPHAR_", "PORT", "GRPC_PORT", "PYTHON")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(handed_on)}
    return subprocess.run(
        ["make", *arguments], cwd=checkout, env=environment, capture_output=True, text=True, timeout=30
    )


@pytest.mark.parametrize("version", ["3.10.12", "3.13.0", "3.14.1", "4.0.0"])
@pytest.mark.parametrize("target", ["serve", "setup", "test", "models"])
def test_a_python_that_does_not_do_is_told_before_anything_is_installed(
    checkout: Path, tmp_path: Path, version: str, target: str
) -> None:
    before = sorted(checkout.rglob("*"))
    done = make(checkout, target, f"PYTHON={python_that_says(tmp_path, version)}")
    assert done.returncode != 0
    assert f"is Python {version}." in done.stderr
    assert "needs Python 3.11 or 3.12" in done.stderr
    assert f"make PYTHON=python3.12 {target}" in done.stderr
    assert sorted(checkout.rglob("*")) == before
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize("version", ["3.11.0", "3.12.9"])
def test_the_right_pythons_make_the_environments(checkout: Path, tmp_path: Path, version: str) -> None:
    make(checkout, "serve", f"PYTHON={python_that_says(tmp_path, version)}")
    assert (tmp_path / "asked").read_text() == "-m venv .venv\n"


def test_a_python_that_is_not_there_is_told(checkout: Path, tmp_path: Path) -> None:
    done = make(checkout, "serve", f"PYTHON={tmp_path}/no-python")
    assert done.returncode != 0
    assert f"{tmp_path}/no-python is not there." in done.stderr


@pytest.mark.parametrize(
    ("arguments", "ports"),
    [
        ((), "http: grpc:"),
        (("PORT=9000",), "http:9000 grpc:"),
        (("GRPC_PORT=9001",), "http: grpc:9001"),
        (("PORT=9000", "GRPC_PORT=9001"), "http:9000 grpc:9001"),
    ],
)
def test_ports_reach_the_service(checkout: Path, arguments: tuple[str, ...], ports: str) -> None:
    script(checkout / ".venv" / "bin" / "python", 'echo "$* http:$DEEPHAR_HTTP_PORT grpc:$DEEPHAR_GRPC_PORT"')
    for environment in (".venv", ".venv-triton"):
        (checkout / environment).mkdir(exist_ok=True)
        (checkout / environment / "done").touch()
    done = make(checkout, "serve", *arguments)
    assert done.stdout == f"-m service {ports}\n", done.stderr
