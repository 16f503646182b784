"""Triton alone: requests that are ready to be sent, and what Triton says of its time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import numpy as np
import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb
from tritonclient.utils import np_to_triton_dtype

Arrays = dict[str, NDArray[Any]]
_METHOD = "/inference.GRPCInferenceService/ModelInfer"


def request_of(network: str, arrays: Arrays) -> bytes:
    """Returns the bytes of a request."""
    request = pb.ModelInferRequest(model_name=network)
    for name, array in arrays.items():
        request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return bytes(request.SerializeToString())


async def rate(address: str, request: bytes, callers: int, seconds: float) -> float:
    """Returns the answers a second of a closed loop; their bytes are not looked at."""
    options = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        infer = channel.unary_unary(_METHOD)
        await infer(request)
        count, began = 0, time.perf_counter()
        deadline = began + seconds

        async def keep_asking() -> None:
            nonlocal count
            while time.perf_counter() < deadline:
                await infer(request)
                count += 1

        await asyncio.gather(*(keep_asking() for _ in range(callers)))
        return count / (time.perf_counter() - began)


class Clock:
    """Triton's own times of one network since the last look."""

    def __init__(self, address: str, network: str) -> None:
        self._client, self._network = triton.InferenceServerClient(address), network
        self.restart()

    def restart(self) -> None:
        self._before = self._totals()

    def _totals(self) -> NDArray[np.float64]:
        (stats,) = self._client.get_inference_statistics(self._network).model_stats
        known = stats.inference_stats
        compute = known.compute_input.ns + known.compute_infer.ns + known.compute_output.ns
        return np.array([known.success.count, known.queue.ns, compute], np.float64)

    def queue_and_compute_ms(self) -> tuple[float, float]:
        """Returns the means of a request, and looks anew."""
        count, queue, compute = self._totals() - self._before
        self.restart()
        return queue / count / 1e6, compute / count / 1e6
