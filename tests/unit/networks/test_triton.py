"""The client of one Triton, before a server that does not answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceServicer, add_GRPCInferenceServiceServicer_to_server

from service.errors import Unavailable
from service.networks.triton import TritonClient
from service.networks.urgency import Latency, become

CALLS = 7
IN_FLIGHT = 2


class Hanging(GRPCInferenceServiceServicer):  # type: ignore[misc]
    def __init__(self) -> None:
        self.asked = 0

    async def ModelInfer(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's
        self.asked += 1
        await asyncio.sleep(60)


@asynccontextmanager
async def bulk_work() -> AsyncIterator[tuple[TritonClient, Hanging, asyncio.Future[list[Any]]]]:
    """Yields a client with more bulk work than it sends at a time, and the outcomes of that."""
    server, hanging = grpc.aio.server(), Hanging()
    add_GRPCInferenceServiceServicer_to_server(hanging, server)
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    client = TritonClient(f"127.0.0.1:{port}", 60, IN_FLIGHT)
    become(Latency.BULK)
    row = {"image": np.zeros((1, 2), np.float32)}
    outcomes = asyncio.gather(*(client.infer("lite_frame", row) for _ in range(CALLS)), return_exceptions=True)
    try:
        async with asyncio.timeout(10):
            while hanging.asked < IN_FLIGHT:
                await asyncio.sleep(0.01)
        yield client, hanging, outcomes
    finally:
        outcomes.cancel()
        await client.close()
        await server.stop(0)


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
