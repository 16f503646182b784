"""The package of the client for browsers and Node: its version, its types, and that it can be published."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from deephar.version import __version__

from tests.conftest import ROOT

WEB = ROOT / "clients" / "web"
PACKAGE = json.loads((WEB / "package.json").read_text())


@pytest.fixture(scope="module")
def npm() -> str:
    found = shutil.which("npm")
    if found is None or not (WEB / "node_modules").is_dir():
        pytest.skip("npm or what it installs for clients/web is not there (Debian: nodejs npm; then make web)")
    return found


@pytest.fixture(scope="module")
def installed(npm: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the package is installed as it would be published."""
    folder = tmp_path_factory.mktemp("user")
    packed = subprocess.run(
        [npm, "pack", "--json", "--pack-destination", folder], cwd=WEB, capture_output=True, check=True
    )
    with tarfile.open(folder / json.loads(packed.stdout)[0]["filename"]) as package:
        package.extractall(folder / "node_modules", filter="data")
    (folder / "node_modules" / "package").rename(folder / "node_modules" / PACKAGE["name"])
    return folder


def test_the_version_is_that_of_the_python_client() -> None:
    lock = json.loads((WEB / "package-lock.json").read_text())
    assert PACKAGE["version"] == lock["version"] == lock["packages"][""]["version"] == __version__


def test_the_lock_names_no_registry() -> None:
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    assert len(packages) > len(PACKAGE["devDependencies"])
    for name, package in packages.items():
        assert "resolved" not in package, name
        assert name == "" or package["integrity"].startswith("sha512-"), name


def test_the_types_are_those_of_the_service_and_of_the_client(npm: str) -> None:
    done = subprocess.run([sys.executable, WEB / "generate.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_package_has_what_it_needs_and_says_its_licence(installed: Path) -> None:
    folder = installed / "node_modules" / PACKAGE["name"]
    assert (folder / "LICENSE").read_text() == (ROOT / "LICENSE").read_text()
    assert (folder / "README.md").is_file()
    assert not (folder / "tests").exists()
    script = 'import { Client } from "deephar-client"; console.log(typeof new Client({address: "http://a"}).stream)'
    done = subprocess.run(
        [shutil.which("node") or "", "--input-type=module", "--eval", script],
        cwd=installed,
        capture_output=True,
        text=True,
    )
    assert (done.stdout, done.stderr) == ("function\n", "")


def test_a_users_program_passes_the_strict_compiler(installed: Path) -> None:
    shutil.copy(WEB / "tests" / "user_program.ts", installed)
    (installed / "package.json").write_text('{"type": "module"}')
    compiler = WEB / "node_modules" / ".bin" / "tsc"
    strict = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess"]
    place = ["--module", "NodeNext", "--target", "ES2022"]
    done = subprocess.run([compiler, *strict, *place, "user_program.ts"], cwd=installed, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
