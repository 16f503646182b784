"""The only module that talks to Triton."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from service.errors import DeadlineExceeded, Overloaded, Unavailable

Tensors = dict[str, NDArray[Any]]

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was started again must be found at once, not after gRPC's usual minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_QUESTION_TIMEOUT_S = 5.0


class LoadedModel(NamedTuple):
    name: str
    version: str
    ready: bool


class TritonClient:
    """Tensors in, tensors out; failures as the service's own errors. Cancelling a call cancels it in Triton."""

    def __init__(self, url: str, inference_timeout_s: float) -> None:
        self._client = InferenceServerClient(url, channel_args=_CHANNEL_OPTIONS)
        self._inference_timeout_s = inference_timeout_s
        self.lost = asyncio.Event()  # set by a call that did not reach Triton; cleared by who finds it again

    async def close(self) -> None:
        await self._client.close()

    async def server_name(self) -> str:
        try:
            metadata = await self._client.get_server_metadata(client_timeout=_QUESTION_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._own(error) from error
        return str(metadata.name)

    async def models(self) -> list[LoadedModel]:
        """What is in the repository, whether or not it could be loaded."""
        try:
            index = await self._client.get_model_repository_index(client_timeout=_QUESTION_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._own(error) from error
        return [LoadedModel(model.name, model.version, model.state == "READY") for model in index.models]

    async def config(self, model: str) -> ModelConfig:
        try:
            answer = await self._client.get_model_config(model, client_timeout=_QUESTION_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._own(error) from error
        return answer.config

    async def infer(self, model: str, tensors: Tensors) -> Tensors:
        inputs = []
        for name, array in tensors.items():
            tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(np.ascontiguousarray(array))
            inputs.append(tensor)
        try:
            result = await self._client.infer(model, inputs, client_timeout=self._inference_timeout_s)
        except InferenceServerException as error:
            raise self._own(error) from error
        except asyncio.CancelledError:
            # A channel that is closed under a call cancels it; a caller's own cancellation looks different.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise Unavailable("the service is stopping") from None
        answer = result.get_response()
        return {output.name: result.as_numpy(output.name) for output in answer.outputs}

    def _own(self, error: InferenceServerException) -> Exception:
        status, text = str(error.status() or ""), str(error.message() or "")
        if "UNAVAILABLE" in status or "NOT_FOUND" in status or "not healthy" in text or "not ready" in text:
            self.lost.set()
            return Unavailable("Triton does not answer for this model at present; try again in a few seconds")
        if "DEADLINE_EXCEEDED" in status:
            return DeadlineExceeded("Triton did not answer in time; try again, or send less at once")
        if "RESOURCE_EXHAUSTED" in status or "maximum queue size" in text:
            return Overloaded("Triton's queue is full; try again in a second")
        return RuntimeError(f"Triton: {status} {text}")
