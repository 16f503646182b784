"""The only module that talks to Triton."""

from __future__ import annotations

import asyncio
import time

import numpy as np
from tritonclient.grpc import InferInput
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
from tritonclient.utils import InferenceServerException, np_to_triton_dtype, triton_to_np_dtype

from service.errors import DeadlineExceeded, Overloaded, Unavailable
from service.networks.server import Activity, LoadedModel, Tensors

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was started again must be found at once, not after gRPC's usual minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 500),
]
_QUESTION_TIMEOUT_S = 2.0
_AWAY = "Triton does not answer for this model at present; try again in a few seconds"


class TritonClient:
    """The `InferenceServer` of a Triton. Cancelling a call cancels it in Triton.

    Args:
        url: Address of its gRPC.
        inference_timeout_s: Time limit of an inference.
    """

    def __init__(self, url: str, inference_timeout_s: float) -> None:
        self.url = url
        self._client = InferenceServerClient(url, channel_args=_CHANNEL_OPTIONS)
        self._inference_timeout_s = inference_timeout_s
        self.doubted = asyncio.Event()  # set by a call that failed as if Triton, or the network, were gone
        self.activity: dict[str, Activity] = {}
        self._configs: dict[str, ModelConfig] = {}

    async def close(self) -> None:
        await self._client.close()

    async def server_name(self) -> str:
        try:
            metadata = await self._client.get_server_metadata(client_timeout=_QUESTION_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._own(error) from error
        return str(metadata.name)

    async def models(self) -> list[LoadedModel]:
        """Returns the models that are or were in the repository, loaded or not."""
        try:
            index = await self._client.get_model_repository_index(client_timeout=_QUESTION_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._own(error) from error
        return [
            LoadedModel(model.name, model.version, model.state == "READY", model.reason == "unloaded")
            for model in index.models
        ]

    async def config(self, model: str) -> ModelConfig:
        try:
            answer = await self._client.get_model_config(model, client_timeout=_QUESTION_TIMEOUT_S)
        except InferenceServerException as error:
            raise self._own(error) from error
        self._configs[model] = answer.config
        return answer.config

    async def infer(self, network: str, tensors: Tensors, timeout_s: float | None = None) -> Tensors:
        """Returns all outputs of the network.

        Args:
            network: Name of the Triton model.
            tensors: Inputs by name, each with the batch as its first axis.
            timeout_s: Time limit other than the client's.

        Raises:
            Unavailable: Triton, or the network, is not there.
            DeadlineExceeded: It did not answer in time.
            Overloaded: Its queue is full.
        """
        inputs = []
        for name, array in tensors.items():
            tensor = InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
            tensor.set_data_from_numpy(np.ascontiguousarray(array))
            inputs.append(tensor)
        activity = self.activity.setdefault(network, Activity())
        samples, began = len(next(iter(tensors.values()))), time.monotonic()
        activity.began(samples)
        try:
            result = await self._client.infer(network, inputs, client_timeout=timeout_s or self._inference_timeout_s)
        except InferenceServerException as error:
            raise self._failed(activity, error) from error
        except asyncio.CancelledError:
            if time.monotonic() - began > activity.patience_s() and not activity.answered_after(began):
                activity.failed = True  # the caller gave up, and no other call was answered
            activity.abandoned += samples
            # A channel that is closed under a call cancels it; a caller's own cancellation looks different.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise Unavailable("the service is stopping") from None
        finally:
            activity.waiting -= samples
        outputs = {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}
        config = self._configs.get(network)
        if config is not None and any(outputs.get(wanted.name) is None for wanted in config.output):
            # A Triton that crashes while it answers leaves out outputs, or their data.
            activity.failed = True
            self.doubted.set()
            raise Unavailable(_AWAY)
        activity.answered()
        activity.fastest_s = min(activity.fastest_s, (activity.last_answer - began) / samples)
        return outputs

    async def ask(self, network: str, timeout_s: float) -> None:
        """Runs the network once on zeros, to see whether it answers. Raises as `infer`."""
        tensors = {
            tensor.name: np.zeros(
                [1, *tensor.dims], triton_to_np_dtype(DataType.Name(tensor.data_type)[len("TYPE_") :])
            )
            for tensor in self._configs[network].input
        }
        await self.infer(network, tensors, timeout_s)

    def _failed(self, activity: Activity, error: InferenceServerException) -> Exception:
        own = self._own(error)
        if isinstance(own, Unavailable | DeadlineExceeded):
            activity.failed = True
            self.doubted.set()
        return own

    def _own(self, error: InferenceServerException) -> Exception:
        status, text = str(error.status() or ""), str(error.message() or "")
        if "DEADLINE_EXCEEDED" in status:
            return DeadlineExceeded("Triton did not answer in time; try again, or send less at once")
        if "RESOURCE_EXHAUSTED" in status or "maximum queue size" in text:
            return Overloaded("Triton's queue is full; try again in a second")
        if "INVALID_ARGUMENT" in status or "OpenVINO" in text:
            return RuntimeError(f"Triton: {status} {text}")
        return Unavailable(_AWAY)
