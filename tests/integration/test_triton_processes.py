"""The embedded Triton's processes and shared memory: whoever dies, when and how often, nothing hangs or stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import pytest

from service.embedded_triton import leftovers
from service.testing.running import ROOT, ServiceProcess, running_service
from tests.grpc_calls import GrpcCalls
from tests.integration.left_behind import SHARED_MEMORY, left_of
from tests.integration.waiting import wait_for

pytestmark = pytest.mark.faults


def server_pid(service: ServiceProcess) -> int:
    """The server itself: neither its stubs nor the process that watches it."""
    (pid,) = [p for p in service.triton_pids() if Path(f"/proc/{p}/comm").read_text() == "tritonserver\n"]
    return pid


@contextmanager
def callers(service: ServiceProcess, image: bytes, count: int = 4) -> Iterator[list[int]]:
    """Asks until the service is gone; yields how many people were in each answer so far."""
    answers: list[int] = []

    def keep_asking() -> None:
        with GrpcCalls(service.grpc_address) as client, contextlib.suppress(grpc.RpcError):
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


def test_starting_again_never_hangs_beside_grpc() -> None:
    command = [sys.executable, "-m", "tests.integration.restart_often"]
    # Has gRPC's fork handlers do their work, so that a fork that runs them hangs at once and not once a day.
    environment = os.environ | {"GRPC_ENABLE_FORK_SUPPORT": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60)
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
    with running_service(backend="python") as service:
        server = server_pid(service)
        old = [*service.triton_pids(), *(path.name for path in SHARED_MEMORY.glob(f"deephar-*-{server}-*"))]
        assert len(old) > 4
        os.kill(server, signal.SIGKILL)
        name = f"deephar-{service.process.pid}-"
        assert wait_for(lambda: not {str(x) for x in old} & {os.path.basename(str(x)) for x in left_of(name)}, 5)
        service.wait_until_ready()


def test_other_users_cannot_read_the_shared_memory() -> None:
    with running_service(backend="python") as service:
        regions = list(SHARED_MEMORY.glob(f"deephar-{service.process.pid}-*"))
        assert len(regions) >= 3  # one for each network
        assert {region.stat().st_mode & 0o777 for region in regions} == {0o600}
        assert "0077" in Path(f"/proc/{server_pid(service)}/status").read_text().split("Umask:")[1].split("\n")[0]


def test_a_start_clears_what_a_dead_gateway_left() -> None:
    with running_service(backend="python") as first:
        name = f"deephar-{first.process.pid}-"
        server = server_pid(first)
        children = [
            pid for pid in first.triton_pids() if Path(f"/proc/{pid}/stat").read_text().split()[3] == str(server)
        ]
        stubs = [pid for pid in children if "launcher.py" not in Path(f"/proc/{pid}/cmdline").read_text()]
        (watcher,) = set(children) - set(stubs)
        for stub in stubs:
            os.kill(stub, signal.SIGSTOP)  # it hangs: a stub that runs ends itself about 2 s after its server
        os.kill(watcher, signal.SIGKILL)
        assert len(left_of(name)) > len(stubs), "no regions to clear"
        first.stop(signal.SIGKILL)
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
