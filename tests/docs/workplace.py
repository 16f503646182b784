"""Where the commands of a page are run: a folder like a checkout, with files such as a reader has, beside a service."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import IO, Any

from service.testing.running import ServiceProcess
from tests.conftest import ROOT, SAMPLES

PATIENCE_S = 60
LINKED = ("clients", "docs", "models", "samples", "service")
PROGRAMS = {".": ".venv", "clients/python": ".venv"}  # whose pyproject.toml names some, and where they are installed
OWN_FILES = {
    "photo.jpg": "people.jpg",
    "photos/a.jpg": "person.jpg",
    "photos/b.jpg": "people.jpg",
    "1.jpg": "person.jpg",
    "2.jpg": "person.jpg",
    "video.mp4": "jumping_jacks.mp4",
    "videos/of_a_day/a.mp4": "jumping_jacks.mp4",
    **{name: name for name in ("person.jpg", "people.jpg", "jumping_jacks.mp4")},
}
# Runs the programs of a page one after the other in one interpreter, and tells what each printed.
INTERPRETER = """
import contextlib, io, json, sys, traceback
names = {"__name__": "__main__"}
for line in sys.stdin:
    printed, error = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            exec(compile(json.loads(line), "<page>", "exec"), names)
        except BaseException:
            error = traceback.format_exc()
    print(json.dumps([printed.getvalue(), error]), file=sys.__stdout__, flush=True)
"""


class Workplace:
    def __init__(self, folder: Path, service: ServiceProcess) -> None:
        self._folder, self._service = folder, service
        self._python: subprocess.Popen[str] | None = None
        for name in LINKED:
            (folder / name).symlink_to(ROOT / name)
        for name, sample in OWN_FILES.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(SAMPLES / sample, folder / name)
        self._install_programs()
        (folder / "node_modules").mkdir()
        (folder / "node_modules" / "deephar-client").symlink_to(ROOT / "clients" / "web")
        self._environment = {name: value for name, value in os.environ.items() if not name.startswith("DEEPHAR_")}
        self._environment |= {
            "PATH": f"{folder / '.venv' / 'bin'}:{os.environ['PATH']}",
            "PYTHONPATH": f"{ROOT}:{ROOT / 'clients' / 'python' / 'src'}",
            "DEEPHAR_ADDRESS": service.grpc_address,
            "DEEPHAR_HTTP_PORT": str(service.http_port),
        }

    def _install_programs(self) -> None:
        """Makes the programs as pip does, of this checkout, whichever is installed."""
        for project, environment in PROGRAMS.items():
            scripts = tomllib.loads((ROOT / project / "pyproject.toml").read_text())["project"]["scripts"]
            for name, target in scripts.items():
                module, _, function = target.partition(":")
                file = self._folder / environment / "bin" / name
                file.parent.mkdir(parents=True, exist_ok=True)
                python = f"#!{sys.executable}\nimport sys\nfrom {module} import {function}\n"
                file.write_text(f"{python}sys.argv[0] = {name!r}\nsys.exit({function}())\n")
                file.chmod(0o755)

    def close(self) -> None:
        if self._python is not None:
            self._python.communicate()

    def here(self, text: str) -> str:
        """The text with the ports of the test's service."""
        for host in ("localhost", "127.0.0.1"):
            text = text.replace(f"{host}:8080", f"127.0.0.1:{self._service.http_port}")
            text = text.replace(f"{host}:8081", f"127.0.0.1:{self._service.grpc_port}")
        return text

    def there(self, text: str) -> str:
        """The other way: what was printed, as a reader's service prints it."""
        text = text.replace(f"127.0.0.1:{self._service.http_port}", "localhost:8080")
        return text.replace(f"127.0.0.1:{self._service.grpc_port}", "localhost:8081")

    def shell(self, command: str, status: int = 0) -> str:
        """Returns what a command printed."""
        program = f"shopt -s expand_aliases; set -o pipefail\n{self.here(command)}"
        return self._run(["bash", "-c", program], status)

    def node(self, program: str) -> str:
        file = self._folder / "shown.mjs"
        file.write_text(self.here(program))
        return self._run(["node", str(file)])

    def python(self, program: str) -> str:
        """Returns what a program printed, which knows the names of those before it."""
        if self._python is None:
            self._python = subprocess.Popen(
                [sys.executable, "-W", "error", "-c", INTERPRETER],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        to, back = _pipes(self._python)
        print(json.dumps(self.here(program)), file=to, flush=True)
        printed, error = json.loads(back.readline() or '["", "the interpreter ended"]')
        assert not error, error
        return str(printed)

    def _run(self, command: list[str], status: int = 0) -> str:
        done = subprocess.run(
            command,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == status, f"{command[-1]}\nended with {done.returncode}:\n{done.stdout}{done.stderr}"
        return self.there(done.stdout or done.stderr)


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], Any]:
    assert process.stdin is not None
    assert process.stdout is not None
    return process.stdin, process.stdout
