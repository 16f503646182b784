"""Processor time and memory of a service's processes, from /proc."""

from __future__ import annotations

import os
import threading
import time
from collections import defaultdict
from pathlib import Path

from service.testing.running import ServiceProcess

_TICK_MS = 1e3 / os.sysconf("SC_CLK_TCK")
GATEWAY, SERVER, STUBS = "gateway", "tritonserver", "Python stubs"


def family(pid: int) -> list[int]:
    """Returns a process and all that descend from it."""
    children = defaultdict(list)
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            children[int(_fields(stat)[1])].append(int(stat.parent.name))
        except OSError:  # it ended in between
            continue
    found = [pid]
    for one in found:
        found += children[one]
    return found


def cpu_ms(pids: list[int]) -> float:
    """Returns the processor time that these processes have taken so far."""
    return sum(_cpu_ms(pid) for pid in pids)


def service_pids(service: ServiceProcess) -> dict[str, list[int]]:
    """Returns the processes of a service and of its embedded Triton by what they are."""
    kinds: dict[str, list[int]] = {GATEWAY: [], SERVER: [], STUBS: []}
    for pid in dict.fromkeys([*family(service.process.pid), *service.triton_pids()]):
        try:
            command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[0]
        except OSError:
            continue
        kind = STUBS if b"backend_stub" in command else SERVER if command.endswith(b"tritonserver") else GATEWAY
        kinds[kind].append(pid)
    return {kind: pids for kind, pids in kinds.items() if pids}


def service_cpu_ms(service: ServiceProcess) -> dict[str, float]:
    return {kind: cpu_ms(pids) for kind, pids in service_pids(service).items()}


def service_memory_mb(service: ServiceProcess) -> dict[str, float]:
    """Returns the resident memory of a service's processes."""
    return {kind: sum(_resident_mb(pid) for pid in pids) for kind, pids in service_pids(service).items()}


class Others:
    """What takes the machine beside a benchmark: it makes the numbers worse, and is to be known with them.

    A thread looks each second at what this process and its descendants have taken, since those that are killed take
    their times with them.
    """

    def __init__(self) -> None:
        self._began, self._busy = time.monotonic(), _machine_ms()
        self._own_ms: dict[int, float] = {}  # since the beginning, or a process's start
        self._before_ms = cpu_ms([os.getpid()])
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def cores(self) -> float:
        """Ends it, and returns how many cores were taken, on average, by all others."""
        self._ended.set()
        self._thread.join()
        others = _machine_ms() - self._busy - (sum(self._own_ms.values()) - self._before_ms)
        return max(0.0, others / 1e3 / (time.monotonic() - self._began))

    def _look(self) -> None:
        while True:
            ended = self._ended.wait(1.0)
            for pid in family(os.getpid()):
                self._own_ms[pid] = max(_cpu_ms(pid), self._own_ms.get(pid, 0.0))
            if ended:
                return


def _machine_ms() -> float:
    """Returns the time that all cores were busy or given to other machines."""
    user, nice, system, _, _, irq, softirq, steal = map(int, Path("/proc/stat").read_text().split()[1:9])
    return _TICK_MS * (user + nice + system + irq + softirq + steal)


def peak_mb(pid: int) -> float:
    return _status_mb(pid, "VmHWM")


def _resident_mb(pid: int) -> float:
    return _status_mb(pid, "VmRSS")


def _status_mb(pid: int, name: str) -> float:
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return int(status.split(f"{name}:")[1].split()[0]) / 1024


def _cpu_ms(pid: int) -> float:
    try:
        fields = _fields(Path(f"/proc/{pid}/stat"))
    except OSError:
        return 0.0
    return _TICK_MS * (int(fields[11]) + int(fields[12]))


def _fields(stat: Path) -> list[str]:
    """Returns the fields after the command's name, which may have spaces: state, parent, ..."""
    return stat.read_text().rpartition(")")[2].split()
