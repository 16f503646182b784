"""The embedded Triton's processes and shared memory: whoever dies, when and how often, nothing hangs or stays."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest
import uvloop
from deephar import Client

from service.embedded_triton import leftovers, supervisor
from service.embedded_triton.supervisor import ServerLog, TritonSupervisor
from service.settings import Settings
from service.testing.running import ROOT, ServiceProcess, processes_with, running_service

SHARED_MEMORY = Path("/dev/shm")
RESTARTS = 100


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


def left_of(name: str) -> list[object]:
    return [*processes_with(name), *(path for path in SHARED_MEMORY.iterdir() if name in path.name)]


def server_pid(service: ServiceProcess) -> int:
    """The server itself: neither its stubs nor the process that watches it."""
    (pid,) = [p for p in service.triton_pids() if Path(f"/proc/{p}/comm").read_text() == "tritonserver\n"]
    return pid


@contextmanager
def callers(service: ServiceProcess, image: bytes, count: int = 4) -> Iterator[list[int]]:
    """Asks until the service is gone; yields how many people were in each answer so far."""
    answers: list[int] = []

    def keep_asking() -> None:
        with Client(service.grpc_address) as client, contextlib.suppress(grpc.RpcError):
            while True:
                answers.append(len(client.pose(image).people))

    threads = [threading.Thread(target=keep_asking) for _ in range(count)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        service.stop(signal.SIGKILL)
        for thread in threads:
            thread.join()


# The server started again and again, in a process of its own: one that hangs cannot time itself out.


async def restart_often() -> None:
    supervisor.FIRST_BACK_OFF_S = supervisor.LONGEST_BACK_OFF_S = 0.001

    async def echo(request: bytes, _: object) -> bytes:
        return request

    server = grpc.aio.server()
    handler = grpc.unary_unary_rpc_method_handler(echo)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("test", {"Echo": handler}),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    call = channel.unary_unary("/test/Echo")
    calls = 0

    async def keep_calling() -> None:
        nonlocal calls
        while True:
            assert await call(b"x" * 10_000) == b"x" * 10_000
            calls += 1

    asking = [asyncio.create_task(keep_calling()) for _ in range(4)]
    triton = TritonSupervisor(Settings())
    to_triton = grpc.aio.insecure_channel(triton.url, (("grpc.max_reconnect_backoff_ms", 10),))

    async def keep_asking_triton() -> None:
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError):
                await to_triton.unary_unary("/test/Echo")(b"", timeout=0.1)

    asking.append(asyncio.create_task(keep_asking_triton()))
    triton.start()
    pid = None
    files = []
    for done in range(RESTARTS):
        while (running := triton.pid) in (None, pid):
            await asyncio.sleep(0.001)
        assert running is not None
        pid = running
        os.kill(pid, signal.SIGKILL)
        files.append(len(os.listdir("/proc/self/fd")))
        print(f"restart {done}, {calls} calls, {files[-1]} files", file=sys.stderr, flush=True)
    await triton.stop()
    assert not any(task.done() for task in asking)
    assert calls > RESTARTS
    assert files[-1] < files[10] + 5, files
    for task in asking:
        task.cancel()
    await channel.close()
    await to_triton.close()
    await server.stop(None)
    print("done", flush=True)


def test_starting_again_never_hangs_beside_grpc() -> None:
    script = "import uvloop; from tests.integration import test_triton_processes as t; uvloop.run(t.restart_often())"
    # Has gRPC's fork handlers do their work, so that a fork that runs them hangs at once and not once a day.
    environment = os.environ | {"GRPC_ENABLE_FORK_SUPPORT": "1"}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "done\n", done.stderr[-2000:]


@pytest.mark.parametrize("attempt", [0, *(pytest.param(i, marks=pytest.mark.long) for i in range(1, 10))])
def test_a_gateway_killed_under_load_leaves_nothing(attempt: int, person_jpeg: bytes) -> None:
    with running_service() as service, callers(service, person_jpeg) as answers:
        assert wait_for(lambda: len(answers) > 8, 20), answers
        service.stop(signal.SIGKILL)
        name = f"deephar-{service.process.pid}-"
        assert wait_for(lambda: not left_of(name), 5), left_of(name)


@pytest.mark.long
def test_a_gateway_killed_while_its_triton_starts_leaves_nothing() -> None:
    for delay in (0.0, 0.3, 0.6, 1.0, 1.5):
        with running_service(wait=False) as service:
            kill_while_starting(service, delay)


def kill_while_starting(service: ServiceProcess, delay_s: float) -> None:
    assert wait_for(lambda: bool(service.triton_pids()), 20)
    time.sleep(delay_s)
    service.stop(signal.SIGKILL)
    name = f"deephar-{service.process.pid}-"
    assert wait_for(lambda: not left_of(name), 5), (delay_s, left_of(name))


@pytest.mark.long
def test_a_server_killed_alone_takes_its_stubs_and_regions_with_it() -> None:
    with running_service() as service:
        server = server_pid(service)
        old = [*service.triton_pids(), *(path.name for path in SHARED_MEMORY.glob(f"deephar-*-{server}-*"))]
        assert len(old) > 4
        os.kill(server, signal.SIGKILL)
        name = f"deephar-{service.process.pid}-"
        assert wait_for(lambda: not {str(x) for x in old} & {os.path.basename(str(x)) for x in left_of(name)}, 5)
        service.wait_until_ready()


def test_other_users_cannot_read_the_shared_memory(service: ServiceProcess) -> None:
    regions = list(SHARED_MEMORY.glob(f"deephar-{service.process.pid}-*"))
    assert len(regions) >= 3  # one for each network
    assert {region.stat().st_mode & 0o777 for region in regions} == {0o600}
    assert "0077" in Path(f"/proc/{server_pid(service)}/status").read_text().split("Umask:")[1].split("\n")[0]


def test_a_start_clears_what_a_dead_gateway_left() -> None:
    with running_service() as first:
        name = f"deephar-{first.process.pid}-"
        watchers = [
            pid
            for pid in first.triton_pids()
            if Path(f"/proc/{pid}/stat").read_text().split()[3] == str(server_pid(first))
            and "launcher.py" in Path(f"/proc/{pid}/cmdline").read_text()
        ]
        assert len(watchers) == 1
        os.kill(watchers[0], signal.SIGKILL)
        first.stop(signal.SIGKILL)
        time.sleep(1)
        assert left_of(name), "nothing to clear"
        with running_service():
            assert not left_of(name)


def names() -> dict[str, bool]:
    """Names and whether their gateway is surely gone."""
    mine = leftovers.own_name(20000)
    pid, port, start_time, namespace = mine.split("-")[1:]
    return {
        f"{mine}-1-x": False,
        f"deephar-{pid}-{port}-{int(start_time) - 1}-{namespace}-1-x": True,  # the number is another process's now
        f"deephar-{2**22 + 1}-{port}-{start_time}-{namespace}-1-x": True,
        f"deephar-{2**22 + 1}-{port}-{start_time}-{int(namespace) + 1}-1-x": False,
        f"deephar-{2**22 + 1}-{port}x": False,
        f"deephar{2**22 + 1}-1-x": False,
        f"other-deephar-{2**22 + 1}-{port}-{start_time}-{namespace}-1-x": False,
    }


def test_only_what_belongs_to_a_dead_gateway_is_cleared() -> None:
    regions = {SHARED_MEMORY / name: gone for name, gone in names().items()}
    hold = "import time; time.sleep(60)"
    stubs = {
        subprocess.Popen(["/any/triton_python_backend_stub", "-c", hold, name], executable=sys.executable): gone
        for name, gone in names().items()
    }
    innocent = subprocess.Popen([sys.executable, "-c", hold, next(name for name, gone in names().items() if gone)])
    try:
        for region in regions:
            region.write_bytes(b"")
        leftovers.clear_dead_gateways()
        assert {path: not path.exists() for path in regions} == regions
        assert wait_for(lambda: all(stub.poll() == -signal.SIGKILL for stub, gone in stubs.items() if gone), 5)
        assert all(stub.poll() is None for stub, gone in stubs.items() if not gone)
        assert innocent.poll() is None
    finally:
        for process in (*stubs, innocent):
            process.kill()
            process.wait()
        for region in regions:
            region.unlink(missing_ok=True)


def test_a_name_is_what_tools_show_of_the_process() -> None:
    prefix, pid, port, start_time, namespace = leftovers.own_name(20000).split("-")
    assert (prefix, pid, port) == ("deephar", str(os.getpid()), "20000")
    assert os.readlink("/proc/self/ns/pid") == f"pid:[{namespace}]"
    assert Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19] == start_time


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


def test_a_second_ctrl_c_need_not_wait() -> None:
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
