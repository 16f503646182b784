"""Builds `openvino_backend.cc`, once for an environment, with the machine's compiler and the wheel's OpenVINO.

Standard library only: the launcher, which calls it, has nothing else.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("openvino_backend.cc")
HEADER = Path(__file__).with_name("triton_backend_api.h")
LIBRARY = "libtriton_onnxruntime.so"
BUILT_FROM = "built_from"  # the file beside the library that says of what it was built
BUILD_TIMEOUT_S = 120.0  # five seconds on a machine that does nothing else
REASON_CHARACTERS = 300  # of what the compiler says
FLAGS = (
    *("-std=c++17", "-O2", "-Wall", "-shared", "-fPIC", "-fvisibility=hidden"),
    # Lazy: the server's symbols are there only inside the server. Never unloaded: OpenVINO's threads may outlive it.
    *("-Wl,-z,lazy", "-Wl,-z,nodelete"),
)


class NotBuilt(Exception):
    """There is no native backend on this machine; the text is the reason."""


def build(folder: Path) -> None:
    """Puts the library into the folder, unless it is there already, built from the same.

    Raises:
        NotBuilt: No compiler, or it fails, or what it built cannot be loaded.
    """
    wheel, openvino = _openvino()
    # Found from where the library stands: an environment may be moved as a whole.
    search = f"-Wl,-rpath,$ORIGIN/{os.path.relpath(wheel / 'libs', folder)}"
    built_from = _digest((*FLAGS, search, openvino.name))  # OpenVINO's version is in its library's name
    library, note = folder / LIBRARY, folder / BUILT_FROM
    try:
        if library.exists() and note.exists() and note.read_text() == built_from:
            return
        folder.mkdir(parents=True, exist_ok=True)
        # Renamed into place: another service may start from the same environment.
        part = folder.resolve() / f"{os.getpid()}-{LIBRARY}"
        try:
            inputs = (f"-isystem{wheel / 'include'}", str(SOURCE), str(openvino))
            _run([_compiler(), *FLAGS, search, *inputs, "-o", str(part)])
            _run([sys.executable, "-c", f"import ctypes, os; ctypes.CDLL({str(part)!r}, os.RTLD_LAZY)"])
            os.replace(part, library)
        finally:
            part.unlink(missing_ok=True)
        note.write_text(built_from)
    except OSError as error:
        raise NotBuilt(str(error)) from error


def _openvino() -> tuple[Path, Path]:
    """Returns the folder of OpenVINO's wheel and the library in it."""
    found = importlib.util.find_spec("openvino")
    if found is None or not found.submodule_search_locations:
        raise NotBuilt(f"OpenVINO is not installed for {sys.executable}")
    wheel = Path(found.submodule_search_locations[0])
    libraries = sorted((wheel / "libs").glob("libopenvino.so.*"))
    if not libraries:
        raise NotBuilt(f"{wheel / 'libs'} has no libopenvino.so")
    return wheel, libraries[-1]


def _compiler() -> str:
    for name in (os.environ.get("CXX"), "g++", "c++", "clang++"):
        if name and (path := shutil.which(name)):
            return path
    raise NotBuilt("there is no C++ compiler (Debian: g++)")


def _digest(facts: tuple[str, ...]) -> str:
    digest = hashlib.sha256("\0".join(facts).encode())
    for path in (SOURCE, HEADER):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=BUILD_TIMEOUT_S)  # noqa: S603
    except subprocess.CalledProcessError as error:
        lines = [line for line in str(error.stderr).splitlines() if "error" in line.lower()]
        said = (lines or [f"it ended with code {error.returncode}"])[0][:REASON_CHARACTERS]
        raise NotBuilt(f"{command[0]}: {said}") from error
    except subprocess.TimeoutExpired as error:
        raise NotBuilt(f"{command[0]} took longer than {BUILD_TIMEOUT_S:.0f} s") from error
