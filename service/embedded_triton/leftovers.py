"""The embedded server's id, and the removal of processes and shared memory of gateways that have ended.

An id identifies its gateway: `deephar-{pid}-{port}-{start time}-{pid namespace}`; a shared memory region appends
`-{anything}`. So a start removes what a dead gateway left, and never what belongs to a living one.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where Triton keeps it
_NAME = re.compile(r"deephar-(?P<pid>\d+)-\d+-(?P<start_time>\d+)-(?P<namespace>\d+)(-.*)?", re.ASCII)
_PROGRAMS = ("tritonserver", "triton_python_backend_stub")


def own_name(port: int) -> str:
    """Returns the id of this gateway's server on a port."""
    pid = os.getpid()
    return f"deephar-{pid}-{port}-{_start_time(pid)}-{_pid_namespace()}"


def remove_regions(name: str) -> None:
    """Removes the shared memory regions of the server with this id."""
    for region in SHARED_MEMORY.glob(f"{name}-*"):
        region.unlink(missing_ok=True)


def clear_dead_gateways() -> None:
    """Kills servers and stubs and removes shared memory of ended gateways, of this user and pid namespace."""
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            _end_if_orphaned(int(folder.name))
    for region in SHARED_MEMORY.glob("deephar-*"):
        if is_gone(region.name):
            with contextlib.suppress(OSError):  # another user's
                region.unlink()


def is_gone(name: str) -> bool:
    """Returns whether the gateway of an id has ended. False where that cannot be known: of another pid namespace."""
    found = _NAME.fullmatch(name)
    if found is None or int(found["namespace"]) != _pid_namespace():
        return False
    return _start_time(int(found["pid"])) != int(found["start_time"])


def _end_if_orphaned(pid: int) -> None:
    with contextlib.suppress(OSError):  # it has ended, or is another user's
        pidfd = os.pidfd_open(pid)  # first, so that the command line is that of the process that gets the signal
        try:
            program, *arguments = Path(f"/proc/{pid}/cmdline").read_text(errors="replace").split("\0")
            if os.path.basename(program) in _PROGRAMS and any(is_gone(a.removeprefix("--id=")) for a in arguments):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
        finally:
            os.close(pidfd)


def _start_time(pid: int) -> int | None:
    """Returns a process' start time in clock ticks since boot, which identifies it with its pid; None: no process."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The second field is the program's name, which may hold anything; the start time is the 22nd.
    return int(stat.rpartition(")")[2].split()[19])


def _pid_namespace() -> int:
    return os.stat("/proc/self/ns/pid").st_ino
