"""The client as a package: what is in its wheel, and that it works where nothing else of the project is."""

from __future__ import annotations

import os
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
CORE = (
    *("grpcio", "protobuf", "typing-extensions", "httpx", "httpcore", "h11", "anyio", "idna", "certifi", "websockets"),
    *("click", "tqdm", "tabulate"),
)
HEAVY = ("numpy", "cv2", "av", "click", "httpx", "websockets", "grpc", "google.protobuf", "asyncio", "pyarrow", "ray")
IMPORT_S = 0.3
MOST_MB = 40
USER_PROGRAM = """
from collections.abc import Iterator

from deephar import AsyncClient, Camera, Capture, Client, DeepharError, Flush, Frame
from deephar.errors import Overloaded, Unreachable
from deephar.events import ActionEvent, PoseEvent, SegmentEvent, Started


def frames() -> Iterator[Frame | Flush]:
    yield Frame(b"", 0.0, 0)
    yield Flush()


def pictures() -> Iterator[bytes]:
    yield b""


def main(path: str) -> float | None:
    with Client("https://pose.example", timeout_s=5, ca="ca.pem") as client:
        try:
            camera = Camera(fx=1145, fy=1145, cx=320, cy=240, root_depth_mm=[4000.0])
            answer = client.pose(path, boxes=[(1, 2, 3, 4)], camera=camera, effort="fast")
        except Overloaded as error:
            return error.retry_after_s
        except Unreachable as error:
            print(error.code)
        except DeepharError:
            raise
        for event in client.stream(frames(), people="all", drop_policy="latest"):
            if isinstance(event, ActionEvent) and event.actions:
                print(event.actions[0].label, event.end_s)
            elif isinstance(event, PoseEvent):
                print([person.id for person in event.people])
            elif isinstance(event, SegmentEvent):
                print(event.segment.label)
            elif isinstance(event, Started):
                print(event.layout.joints)
        client.stream(pictures(), fps=25)
        client.stream(Capture("0"))
        print(client.classify(path).to_dict()["actions"], client.models()[0].actions)
        return answer.people[0].keypoints[0].x


async def later() -> list[str]:
    async with AsyncClient() as client:
        print((await client.pose(b"")).to_numpy().keypoints.shape)
        return [event.event async for event in client.stream("a.mp4")]
"""


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
    names = CORE
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
    assert metadata.get_all("Provides-Extra") == ["video", "draw", "parquet", "ray"]
    core = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert not any(name in line for line in core for name in ("numpy", "opencv", "av>", "pyarrow"))


def test_the_import_is_light_and_quick(bare: Path, tmp_path: Path) -> None:
    """What a program pays that only says `import deephar`: processor time, the best of three."""
    probe = (
        "import sys, time; began = time.process_time(); import deephar; took = time.process_time() - began;"
        f"print(took, *[name for name in {HEAVY} if name in sys.modules])"
    )
    said = [run(bare / "python", "-I", "-c", probe, cwd=tmp_path).stdout.split() for _ in range(3)]
    assert [words[1:] for words in said] == [[], [], []]
    assert min(float(words[0]) for words in said) < IMPORT_S


def test_the_client_needs_only_its_transport(bare: Path, tmp_path: Path) -> None:
    for address, absent in (("localhost:9", ("httpx", "websockets")), ("http://localhost:9", ("grpc",))):
        probe = f"import sys, deephar; deephar.Client({address!r}); print([n for n in {absent} if n in sys.modules])"
        assert run(bare / "python", "-I", "-c", probe, cwd=tmp_path).stdout.strip() == "[]"


def test_the_core_is_small(bare: Path) -> None:
    packages = next((bare.parent / "lib").glob("python*/site-packages"))
    assert sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) < MOST_MB * 1e6


def test_types_of_a_users_program(bare: Path, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(USER_PROGRAM)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file=", "--cache-dir", tmp_path / "cache")
    done = subprocess.run(
        [*mypy, "--python-executable", bare / "python", program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name not in ("MYPYPATH", "PYTHONPATH")},
    )
    assert done.returncode == 0, done.stdout


def test_it_needs_no_video_reader(bare: Path, tmp_path: Path) -> None:
    probe = "import importlib.util, deephar, deephar.video; print(importlib.util.find_spec('av'), deephar.__file__)"
    found, place = run(bare / "python", "-I", "-c", probe, cwd=tmp_path).stdout.split()
    assert found == "None"
    assert Path(place).is_relative_to(bare.parent)


def test_the_command_line_runs(bare: Path, tmp_path: Path) -> None:
    assert "deephar-serve" in run(bare / "deephar", "--help", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (
            "Client('localhost:9').classify('a.mp4')",
            'videos need PyAV, which is not installed: pip install "deephar-client[video]"',
        ),
        ("answer.to_numpy()", "arrays need NumPy, which is not installed: pip install numpy"),
        ("answer.draw(None)", 'to draw needs OpenCV, which is not installed: pip install "deephar-client[draw]"'),
    ],
)
def test_what_needs_an_extra_says_what_to_install(bare: Path, tmp_path: Path, call: str, said: str) -> None:
    made = "from deephar import Client; from deephar.results import PoseAnswer; answer = PoseAnswer.from_dict({});"
    probe = f"{made} {call}"
    done = subprocess.run([bare / "python", "-I", "-c", probe], cwd=tmp_path, capture_output=True, text=True)
    assert done.stderr.strip().endswith(f"MissingExtra: {said}") or done.stderr.strip().endswith(
        f"NoVideoReader: {said}"
    )
