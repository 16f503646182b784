"""The supervisor of the embedded Triton by itself, without a gateway."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import uvloop

from service.embedded_triton import supervisor
from service.embedded_triton.supervisor import ServerLog, TritonSupervisor
from service.settings import Settings
from service.testing.running import processes_with
from tests.integration.left_behind import SHARED_MEMORY, left_of


def supervised(script: Callable[[TritonSupervisor, list[str]], Awaitable[None]]) -> None:
    async def run() -> None:
        reasons: list[str] = []
        triton = TritonSupervisor(Settings(), reasons.append)
        triton.start()
        try:
            await script(triton, reasons)
        finally:
            await triton.stop()
        assert await eventually(lambda: not left_of(triton.server_id)), left_of(triton.server_id)

    uvloop.run(asyncio.wait_for(run(), 30))


def running_pid(triton: TritonSupervisor) -> int:
    assert triton.pid is not None
    return triton.pid


async def eventually(condition: Callable[[], bool], seconds: float = 5.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        await asyncio.sleep(0.01)
    return False


def test_an_end_is_told_once_and_backs_off(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(supervisor, "FIRST_BACK_OFF_S", 0.5)

    async def script(triton: TritonSupervisor, reasons: list[str]) -> None:
        assert await eventually(lambda: triton.pid is not None)
        killed = running_pid(triton)
        os.kill(killed, signal.SIGKILL)
        began = time.monotonic()
        assert await eventually(lambda: triton.pid not in (None, killed))
        assert time.monotonic() - began > 0.5
        assert [reason.startswith("it ended with signal 9") for reason in reasons] == [True]
        assert not [record for record in caplog.records if record.levelno >= logging.WARNING]

    supervised(script)


def test_a_server_that_hangs_is_started_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPHAR_BACKEND", "python")  # which has most to be cleared away
    monkeypatch.setattr(supervisor, "FIRST_BACK_OFF_S", 20.0)

    async def script(triton: TritonSupervisor, reasons: list[str]) -> None:
        assert await eventually(lambda: len(left_of(triton.server_id)) > 4, 20)  # stubs and their regions
        hanging = running_pid(triton)
        os.killpg(hanging, signal.SIGSTOP)
        triton.restart("it did not answer")
        assert await eventually(lambda: triton.pid not in (None, hanging), 2)
        assert reasons == ["it did not answer"]
        # Out of a back-off, too: that end is told already.
        os.kill(running_pid(triton), signal.SIGKILL)
        assert await eventually(lambda: triton.pid is None and len(reasons) == 2)
        triton.restart("somebody asked")
        assert await eventually(lambda: triton.pid is not None, 2)
        assert len(reasons) == 2

    supervised(script)


def test_a_second_ctrl_c_need_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPHAR_BACKEND", "python")

    async def script(triton: TritonSupervisor, reasons: list[str]) -> None:
        assert await eventually(lambda: len(left_of(triton.server_id)) > 4, 20)
        triton.kill_now()
        assert not list(SHARED_MEMORY.glob(f"{triton.server_id}*"))
        assert await eventually(lambda: not processes_with(triton.server_id) or _only_zombies(triton.server_id))
        await asyncio.sleep(0.5)
        assert reasons == []

    supervised(script)


def _only_zombies(name: str) -> bool:
    return all(
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z" for pid in processes_with(name)
    )


def test_why_it_ended_is_told_in_its_own_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python = tmp_path / "bin" / "python"
    python.parent.mkdir()
    python.write_text("#!/bin/sh\necho embedded Triton: no library >&2\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setenv("DEEPHAR_TRITON_ENV", str(tmp_path))

    async def script(triton: TritonSupervisor, reasons: list[str]) -> None:
        assert await eventually(lambda: bool(reasons))
        assert reasons[0] == "it ended with code 3; its last words: embedded Triton: no library"
        python.unlink()
        assert await eventually(lambda: "could not be started" in reasons[-1])

    supervised(script)


def test_each_error_of_triton_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    server_log = ServerLog()
    with caplog.at_level(logging.DEBUG):
        for i in range(50):
            server_log.take(f'E1125 10:57:36.58{i:04d} 60{i:02d} pb_stub.cc:12] "stub {i} at 0x7f{i:02x} is broken"\n')
            server_log.take(f'E1125 10:57:36.58{i:04d} 6003 cuda.cc:1] "CudaDriverHelper has no driver"\n')
            server_log.take(f'I1125 10:57:36.58{i:04d} 6003 grpc.cc:1] "Started {i}"\n')
        server_log.take('F1125 10:57:36.581234 6003 pb_stub.cc:12] "something else"\n')
    warnings = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(warnings) == 2
    assert "stub 0" in warnings[0]
    assert "something else" in warnings[1]
    assert server_log.last_words(200).endswith('"something else"')
    server_log.take("x" * 1000)
    assert len(server_log.last_words(200)) == 200
