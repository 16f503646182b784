"""Starts the server again and again, in a process of its own: one that hangs cannot time itself out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys

import grpc
import uvloop

from service.embedded_triton import supervisor
from service.embedded_triton.supervisor import TritonSupervisor
from service.settings import Settings

RESTARTS = 100


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


if __name__ == "__main__":
    uvloop.run(restart_often())
