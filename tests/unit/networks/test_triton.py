"""The client of one Triton, before a server that does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

from service.errors import DeadlineExceeded, Unavailable
from service.networks.sent import MOST_LEFT
from service.networks.triton import TritonClient
from service.networks.urgency import Latency, become

CALLS = 7
IN_FLIGHT = 2
ROW = {"image": np.zeros((1, 2), np.float32)}


class Hanging(GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self) -> None:
        self.asked = self.cancelled = self.answered = 0
        self.answers = asyncio.Event()

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's
        self.asked += 1
        try:
            await self.answers.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        self.answered += 1
        return pb.ModelInferResponse()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@asynccontextmanager
async def hanging_server() -> AsyncIterator[tuple[TritonClient, Hanging]]:
    """Yields a client of a server that does not answer until it is told to."""
    server, hanging = grpc.aio.server(), Hanging()
    add_GRPCInferenceServiceServicer_to_server(hanging, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = TritonClient(f"127.0.0.1:{port}", 60, IN_FLIGHT)
    try:
        yield client, hanging
    finally:
        await client.close()
        await server.stop(0)


@asynccontextmanager
async def bulk_work() -> AsyncIterator[tuple[TritonClient, Hanging, asyncio.Future[list[Any]]]]:
    """Yields a client with more bulk work than it sends at a time, and the outcomes of that."""
    async with hanging_server() as (client, hanging):
        become(Latency.BULK)
        outcomes = asyncio.gather(*(client.infer("lite_frame", ROW) for _ in range(CALLS)), return_exceptions=True)
        try:
            await until(lambda: hanging.asked == IN_FLIGHT)
            yield client, hanging, outcomes
        finally:
            outcomes.cancel()


@pytest.mark.parametrize("end", ["give up the network", "give up all", "close"])
def test_bulk_work_that_waits_ends_with_what_it_waits_for(end: str) -> None:
    async def scene() -> None:
        async with bulk_work() as (client, hanging, outcomes):
            assert client.samples == CALLS
            began = time.monotonic()
            if end == "close":
                await client.close()
            else:
                client.give_up("lite_frame" if "network" in end else None)
            async with asyncio.timeout(5):
                assert {type(outcome) for outcome in await outcomes} == {Unavailable}
            assert time.monotonic() - began < 2
            assert client.samples == 0
            assert hanging.asked == IN_FLIGHT

    asyncio.run(scene())


@pytest.mark.parametrize("latency", Latency)
@pytest.mark.parametrize("how", ["is out of time", "leaves"])
def test_an_inference_is_not_cancelled_when_its_caller(how: str, latency: Latency) -> None:
    async def scene() -> None:
        async with hanging_server() as (client, hanging):
            become(latency, time.monotonic() + 0.2 if how == "is out of time" else None)
            asking = asyncio.create_task(client.infer("lite_frame", ROW))
            await until(lambda: hanging.asked == 1)
            if how == "leaves":
                asking.cancel()
            (outcome,) = await asyncio.gather(asking, return_exceptions=True)
            assert isinstance(outcome, DeadlineExceeded if how == "is out of time" else asyncio.CancelledError)
            assert client.samples == 0
            await asyncio.sleep(0.2)
            assert hanging.cancelled == 0
            hanging.answers.set()
            await until(lambda: hanging.answered == 1)

    asyncio.run(scene())


def test_callers_who_leave_do_not_fill_triton() -> None:
    async def scene() -> None:
        async with hanging_server() as (client, hanging):
            asking = [asyncio.create_task(client.infer("lite_frame", ROW)) for _ in range(MOST_LEFT)]
            await until(lambda: hanging.asked == MOST_LEFT)
            for task in asking:
                task.cancel()
            await asyncio.wait(asking)
            next_one = asyncio.create_task(client.infer("lite_frame", ROW))
            become(Latency.SINGLE, time.monotonic() + 0.1)
            with pytest.raises(DeadlineExceeded):
                await client.infer("lite_frame", ROW)
            assert hanging.asked == MOST_LEFT
            hanging.answers.set()
            assert await next_one == {}
            assert hanging.asked == MOST_LEFT + 1
            assert hanging.cancelled == 0

    asyncio.run(scene())


def test_bulk_work_that_nobody_waits_for_keeps_its_place_until_it_ends() -> None:
    async def scene() -> None:
        async with bulk_work() as (client, hanging, outcomes):
            outcomes.cancel()
            await asyncio.gather(outcomes, return_exceptions=True)
            further = asyncio.create_task(client.infer("lite_frame", ROW))
            await asyncio.sleep(0.2)
            assert hanging.asked == IN_FLIGHT
            hanging.answers.set()
            assert await further == {}

    asyncio.run(scene())
