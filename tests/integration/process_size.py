"""What a service's process holds: memory and open files."""

from __future__ import annotations

from pathlib import Path

from service.testing.running import ServiceProcess


def memory_mb(service: ServiceProcess, field: str = "VmRSS") -> float:
    return memory_of_mb(service.process.pid, field)


def memory_of_mb(pid: int | str, field: str = "VmRSS") -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def open_files(service: ServiceProcess) -> int:
    return len(list(Path(f"/proc/{service.process.pid}/fd").iterdir()))
