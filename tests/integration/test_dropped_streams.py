"""Streams whose callers vanish in mid-frame leave nothing behind, counted within a gateway on a real Triton."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import time
from collections.abc import AsyncIterator

import grpc
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from websockets.asyncio.client import connect

from service.composition import Parts, running
from service.serving import RestServer, rest_config
from service.settings import Settings
from service.testing.ports import free_loopback_port
from service.video.frame import Frame
from tests.conftest import SAMPLES
from tests.grpc_calls import frames_of
from tests.integration.sockets import message

STREAMS, AT_ONCE = 200, 16


def left_over(parts: Parts) -> dict[str, int]:
    gc.collect()
    pipeline = parts.pipeline
    return {
        "tasks": len(asyncio.all_tasks()),
        "files": len(os.listdir("/proc/self/fd")),
        "streams": pipeline.streams.inside,
        "requests of Triton": sum(activity.waiting for activity in parts.triton.activity.values()),
        "frames": sum(isinstance(thing, Frame) for thing in gc.get_objects()),
        "pixels": pipeline.pixels.taken,
    }


async def dropped_over_grpc(address: str, frames: list[pb.Frame], seconds: float) -> None:
    async with grpc.aio.insecure_channel(address) as channel:
        call = pb_grpc.InferenceServiceStub(channel).StreamVideo()
        await call.write(pb.StreamVideoRequest(config=pb.StreamConfig(want_keypoints=True)))
        with contextlib.suppress(TimeoutError, grpc.aio.AioRpcError):
            async with asyncio.timeout(seconds):
                for frame in frames:
                    await call.write(pb.StreamVideoRequest(frame=frame))
                await call.read()
        call.cancel()


async def dropped_over_websocket(port: int, frames: list[pb.Frame], seconds: float) -> None:
    async with connect(f"ws://127.0.0.1:{port}/v1/stream") as socket:
        await socket.send(json.dumps({"type": "config", "want_keypoints": True}))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for frame in frames:
                    await socket.send(message(frame))
        socket.transport.abort()  # as a peer that dies: no closing handshake


@contextlib.asynccontextmanager
async def whole_service(settings: Settings) -> AsyncIterator[Parts]:
    async with running(settings) as parts:
        rest = RestServer(rest_config(settings, parts))
        serving = asyncio.create_task(rest.serve())
        while parts.readiness.fault() is not None or not rest.started:
            await asyncio.sleep(0.05)
        yield parts
        rest.should_exit = True
        await serving


def test_streams_that_are_dropped_in_mid_frame_leave_nothing() -> None:
    settings = Settings(http_port=free_loopback_port(), grpc_port=free_loopback_port(), max_streams=4 * AT_ONCE)
    frames = list(frames_of(str(SAMPLES / "jumping_jacks.mp4")))[:30]
    chance = random.Random(0)

    async def run() -> None:
        async with whole_service(settings) as parts:
            places = asyncio.Semaphore(AT_ONCE)

            async def one(i: int) -> None:
                async with places:
                    seconds = chance.uniform(0.0, 0.5)
                    if i % 2:
                        await dropped_over_grpc(f"127.0.0.1:{settings.grpc_port}", frames, seconds)
                    else:
                        await dropped_over_websocket(settings.http_port, frames, seconds)

            await asyncio.gather(*(one(i) for i in range(8)))  # what is opened once
            await asyncio.sleep(2)
            before = left_over(parts)
            await asyncio.gather(*(one(i) for i in range(STREAMS)))
            deadline = time.monotonic() + 10
            while more := {name: n for name, n in left_over(parts).items() if n > before[name]}:
                assert time.monotonic() < deadline, f"left over: {more}; before: {before}"
                await asyncio.sleep(0.2)

    asyncio.run(run())
