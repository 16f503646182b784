"""deploy/systemd: the unit is sound, strict, and the service runs under it.

No systemd starts it here. So these are not tried: MemoryMax and MemoryHigh, KillMode, OOMPolicy, restarts,
PrivateDevices, what protects the kernel, and the owners of directories.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.settings import Settings
from service.testing.ports import free_loopback_port
from service.testing.running import processes_with
from tests.deploy.programs import program

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
UNIT = ROOT / "deploy" / "systemd" / "deephar-serve.service"
INSTALLED = "/opt/deephar-serve"
EXPOSURE = 2.0  # systemd's own measure: 10 is without any protection
PATIENCE_S = 120


def directives() -> dict[str, list[str]]:
    """Returns all values of each directive, in the unit's order."""
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^(\w+)=(.*)$", UNIT.read_text(), re.MULTILINE):
        found.setdefault(name, []).append(value)
    return found


def one(name: str) -> str:
    (value,) = directives()[name]
    return value


def environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in directives()["Environment"] for pair in shlex.split(line))


def test_systemd_finds_no_fault(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(INSTALLED, str(ROOT)))  # it looks whether the program is there
    done = subprocess.run([program("systemd-analyze"), "verify", unit], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_service_is_hardly_exposed() -> None:
    command = [program("systemd-analyze"), "security", "--offline=true", f"--threshold={EXPOSURE * 10:.0f}", str(UNIT)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert float(re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)[1]) <= EXPOSURE  # type: ignore[index]


def test_it_has_the_time_it_needs_to_stop() -> None:
    given = {
        name.removeprefix("DEEPHAR_").lower(): value for name, value in environment().items() if "DEEPHAR_" in name
    }
    assert given.keys() <= Settings.model_fields.keys()
    assert int(one("TimeoutStopSec")) >= Settings.model_validate(given).shutdown_grace_s + 10


def test_its_user_is_made() -> None:
    kind, name, *_ = shlex.split(UNIT.with_suffix(".sysusers").read_text())
    assert (kind, name) == ("u", one("User"))


@contextmanager
def running_locked_down(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Runs the unit's command as an unprivileged user who cannot write, and gives its process, address and log."""
    trial = ["unshare", "--mount", "--propagation=private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    if os.geteuid() != 0 or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("only root, where it may mount, makes the namespace in which the service runs as under systemd")
    groups = subprocess.run([program("systemd-analyze"), "syscall-filter"], capture_output=True, text=True, check=True)
    http_port, grpc_port = free_loopback_port(), free_loopback_port()
    log, specification = folder / "log", folder / "specification.json"
    covered = {"/tmp": "1777", "/var/tmp": "1777", "/root": "755", "/home": "755", "/var/lib": "755"}
    # As if installed: what the service is made of is in no home.
    parts = {ROOT, Path(sys.base_prefix), *((ROOT / name).resolve() for name in (".venv", ".venv-triton"))}
    wanted = {
        "covered": covered,
        "kept": sorted(str(part) for part in parts if any(part.is_relative_to(cover) for cover in covered)),
        "state": f"/var/lib/{one('StateDirectory')}",
        "folder": str(ROOT),
        "calls": sorted(calls_of(one("SystemCallFilter"), groups.stdout)),
        "families": one("RestrictAddressFamilies").split(),
        "command": shlex.split(one("ExecStart").replace(INSTALLED, str(ROOT))),
        "environment": environment()
        | {"PATH": "/usr/bin:/bin", "DEEPHAR_HTTP_PORT": str(http_port), "DEEPHAR_GRPC_PORT": str(grpc_port)},
    }
    specification.write_text(json.dumps(wanted))
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, HERE / "locked_down.py", specification], stdout=output, stderr=subprocess.STDOUT
        )
    try:
        yield process, f"http://127.0.0.1:{http_port}", log
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def calls_of(group: str, listing: str) -> set[str]:
    """Returns the system calls of a group in what `systemd-analyze syscall-filter` prints, which names other groups."""
    members: dict[str, list[str]] = {}
    for line in listing.splitlines():
        if line.startswith("@"):
            members[current := line.strip()] = []
        elif line.startswith("    ") and not line.strip().startswith("#"):
            members[current].append(line.strip())
    found: set[str] = set()
    for member in [*members[group], *members["@default"]]:
        found |= calls_of(member, listing) if member.startswith("@") and member != group else {member}
    return found


def test_it_answers_under_the_unit_and_leaves_nothing(tmp_path: Path) -> None:
    with running_locked_down(tmp_path) as (process, url, log):
        wait_until_ready(process, url, log)
        own = Path(f"/proc/{process.pid}/status").read_text()
        assert re.search(r"^Uid:\t65534\t65534\t65534\t65534$", own, re.MULTILINE)
        assert re.search(r"^CapBnd:\t0+$", own, re.MULTILINE)
        assert re.search(r"^Seccomp:\t2$", own, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\t1$", own, re.MULTILINE)
        mounts = Path(f"/proc/{process.pid}/mountinfo").read_text()
        assert re.search(r"^\S+ \S+ \S+ / / ro,", mounts, re.MULTILINE)
        picture = (ROOT / "samples" / "person.jpg").read_bytes()
        video = (ROOT / "samples" / "jumping_jacks.mp4").read_bytes()
        pose = httpx.post(f"{url}/v1/pose", files={"image": picture}, timeout=60)
        assert pose.status_code == 200, pose.text
        assert len(pose.json()["people"]) == 1
        actions = httpx.post(f"{url}/v1/actions", files={"video": video}, timeout=60)
        assert actions.status_code == 200, actions.text
        assert actions.json()["actions"][0]["label"] == "jumping_jacks"

        process.send_signal(signal.SIGTERM)  # as KillMode=mixed does: to the gateway alone
        assert process.wait(timeout=int(one("TimeoutStopSec"))) == 0, log.read_text()
    assert processes_with(f"deephar-{process.pid}-") == []
    assert list(Path("/dev/shm").glob(f"*deephar-{process.pid}-*")) == []


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{url}/readyz", timeout=5).is_success:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    pytest.fail(f"not ready, exit status {process.poll()}:\n{log.read_text()}")
