"""The client as a package: what is in its wheel, and that it works where nothing else of the project is."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from email import message_from_bytes
from email.message import Message
from pathlib import Path

import pytest
from deephar import __version__

ROOT = Path(__file__).resolve().parents[3]
PACKAGE = ROOT / "clients" / "python"


def run(*command: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from a copy with this environment's setuptools: no index is asked, the checkout stays clean."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("build", "*.egg-info"))
    pip = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
    run(*pip, "--wheel-dir", folder, source, cwd=folder)
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `bin` folder of an environment that has the client and its dependencies, in the locked versions."""
    folder = tmp_path_factory.mktemp("bare")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    commands = folder / "venv" / "bin"
    locked = folder / "locked.txt"
    names = ("grpcio", "protobuf", "typing-extensions")
    entries = (ROOT / "requirements" / "gateway.txt").read_text().replace("\\\n", "").splitlines()
    locked.write_text("\n".join(entry for entry in entries if entry.split("==")[0] in names))
    pip = (sys.executable, "-m", "pip", "--python", commands / "python", "install", "--quiet")
    run(*pip, "--require-hashes", "-r", locked, cwd=folder)
    run(*pip, "--no-deps", wheel, cwd=folder)
    return commands


@pytest.fixture(scope="module")
def files(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def metadata(files: dict[str, bytes]) -> Message:
    (found,) = (content for name, content in files.items() if name.endswith(".dist-info/METADATA"))
    return message_from_bytes(found)


def test_the_wheel_has_licence_types_and_stubs(files: dict[str, bytes]) -> None:
    (licence,) = (content for name, content in files.items() if name.endswith("/LICENSE"))
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert {
        "deephar/py.typed",
        "deephar/v1/inference_pb2.py",
        "deephar/v1/inference_pb2.pyi",
        "deephar/v1/inference_pb2_grpc.py",
    } <= files.keys()


def test_metadata(metadata: Message) -> None:
    assert metadata["Version"] == __version__
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (PACKAGE / "README.md").read_text()
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])
    assert metadata.get_all("Provides-Extra") == ["video"]


def test_it_needs_no_video_reader(bare: Path, tmp_path: Path) -> None:
    probe = "import importlib.util, deephar, deephar.video; print(importlib.util.find_spec('av'), deephar.__file__)"
    found, place = run(bare / "python", "-I", "-c", probe, cwd=tmp_path).stdout.split()
    assert found == "None"
    assert Path(place).is_relative_to(bare.parent)


def test_the_command_line_runs(bare: Path, tmp_path: Path) -> None:
    assert "deephar-serve" in run(bare / "deephar", "--help", cwd=tmp_path).stdout


@pytest.mark.parametrize("command", ["classify", "stream"])
def test_a_video_without_a_reader_says_what_to_install(bare: Path, tmp_path: Path, command: str) -> None:
    video = ROOT / "samples" / "jumping_jacks.mp4"
    done = subprocess.run([bare / "deephar", command, video], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        'deephar: videos need PyAV, which is not installed: pip install "deephar-client[video]"'
    )
