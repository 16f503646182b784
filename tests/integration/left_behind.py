"""What a gateway's embedded Triton leaves on the machine."""

from __future__ import annotations

from pathlib import Path

from service.testing.running import ServiceProcess, processes_with

SHARED_MEMORY = Path("/dev/shm")


def left_of(name: str) -> list[object]:
    return [*processes_with(name), *(path for path in SHARED_MEMORY.iterdir() if name in path.name)]


def left_of_service(service: ServiceProcess) -> list[object]:
    return left_of(f"deephar-{service.process.pid}-")
