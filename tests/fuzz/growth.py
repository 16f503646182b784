"""What a service holds - memory of it and its Triton, open files, shared memory - from one moment to a later one."""

from __future__ import annotations

import time
from typing import NamedTuple

import httpx

from service.testing.running import ServiceProcess
from tests.integration.left_behind import left_of_service
from tests.integration.process_size import memory_mb, memory_of_mb, open_files

_MOST_MB, _MOST_FILES = 100, 10
_SETTLING_S = 1.0  # in which connections end


class Size(NamedTuple):
    gateway_mb: float
    triton_mb: float
    files: int
    triton_parts: int  # processes and regions of shared memory

    @staticmethod
    def of(service: ServiceProcess) -> Size:
        time.sleep(_SETTLING_S)
        triton_mb = sum(memory_of_mb(pid) for pid in service.triton_pids())
        return Size(round(memory_mb(service)), round(triton_mb), open_files(service), len(left_of_service(service)))


class Growth:
    """Counts the inputs to a service, and compares what it holds after a quarter of them with what it holds at the end.

    Args:
        service: Gets the inputs.
        inputs: How many there will be.
    """

    def __init__(self, service: ServiceProcess, inputs: int) -> None:
        self._service, self._quarter, self._count = service, max(1, inputs // 4), 0
        self._logged = service.log.stat().st_size
        self._early: Size | None = None

    def count(self) -> None:
        """Counts one more input."""
        self._count += 1
        if self._count == self._quarter:
            self._early = Size.of(self._service)

    def check(self, what: str) -> None:
        """Fails where the service holds more than before, does not answer, or has logged an unforeseen error."""
        assert self._early is not None
        early, late = self._early, Size.of(self._service)
        print(f"{what}: {self._count} inputs; after a quarter {early}, at the end {late}")
        assert late.gateway_mb < early.gateway_mb + _MOST_MB
        assert late.triton_mb < early.triton_mb + _MOST_MB
        assert late.files <= early.files + _MOST_FILES
        assert late.triton_parts <= early.triton_parts
        assert httpx.get(f"{self._service.url}/readyz", timeout=30).status_code == 200
        logged = self._service.log.read_bytes()[self._logged :].decode(errors="replace")
        assert "Traceback" not in logged, logged[logged.index("Traceback") - 200 :][:5000]
