"""A service that ends a call while the caller still writes: the caller learns why."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import grpc
import numpy as np
from deephar import AsyncClient, Flush, Frame
from deephar.errors import UnknownModel
from deephar.v1 import inference_pb2_grpc as pb_grpc


class _Refusing(pb_grpc.InferenceServiceServicer):
    async def ClassifyClip(self, request_iterator: object, context: grpc.aio.ServicerContext) -> None:  # noqa: N802
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such model", (("deephar-code", "unknown_model"),))


async def _frames() -> AsyncIterator[Frame | Flush]:
    for index in range(20):
        yield Frame(np.zeros((64, 64, 3), np.uint8), index, index)


def test_the_reason_is_never_lost() -> None:
    async def reasons() -> list[BaseException | object]:
        server = grpc.aio.server()
        pb_grpc.add_InferenceServiceServicer_to_server(_Refusing(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        found: list[BaseException | object] = []
        async with AsyncClient(f"127.0.0.1:{port}") as client:
            for _ in range(100):
                calls = (client.classify(_frames()) for _ in range(10))
                found += await asyncio.gather(*calls, return_exceptions=True)
        await server.stop(None)
        return found

    assert {type(reason) for reason in asyncio.run(reasons())} == {UnknownModel}
