"""The only module that talks to Triton."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Awaitable
from contextlib import ExitStack
from typing import Any, TypeVar

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.model_config_pb2 import DataType, ModelConfig
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import np_to_triton_dtype, triton_to_np_dtype

from service.errors import DeadlineExceeded, Overloaded, Unavailable
from service.networks.sent import SentInferences
from service.networks.server import Activity, LoadedModel, Outputs, Tensors
from service.networks.urgency import TOO_LATE, Latency, present
from service.telemetry.triton_call import triton_call

_CHANNEL_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was started again must be found at once, not after gRPC's usual minutes. The least back-off is also
    # the time within which a connection must be made.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 500),
    # On a network that loses everything the kernel tries ever more rarely. With these it gives up a connection whose
    # data are not taken for 2 s, and gRPC one where a ping is not answered for as long. It pings after each second in
    # which nothing came for a call, and by itself while data come; its limit of two pings without data in between
    # keeps it under what Triton takes.
    ("grpc.keepalive_time_ms", 1_000),
    ("grpc.keepalive_timeout_ms", 2_000),
    ("grpc.http2.ping_timeout_ms", 2_000),
    ("grpc.use_local_subchannel_pool", 1),  # each client has connections of its own
]
_QUESTION_TIMEOUT_S = 2.0
_LOADING_TIMEOUT_S = 600.0
_TOO_SLOW = "Triton did not answer in time; try again, or send less at once"
_IN_QUEUE_TOO_LONG = "timeout expired"  # of an inference that a caller's time limit has ended there
_AWAY = "Triton does not answer for this model at present; try again in a few seconds"

T = TypeVar("T")


class TritonClient:
    """The `InferenceServer` of a Triton. An inference whose caller leaves, or is out of time, still ends in Triton.

    It uses tritonclient's stub and not its client, whose objects around each tensor and copies take a tenth of a
    millisecond a call.

    Args:
        url: Address of its gRPC.
        inference_timeout_s: Time limit of an inference.
        bulk_in_flight: Largest number of inferences of bulk work at a time. Priorities order the queue alone: Triton
            puts all that waits into one batch, and what comes next waits for it.
    """

    def __init__(self, url: str, inference_timeout_s: float, bulk_in_flight: int = 4) -> None:
        self.url = url
        self._channel = grpc.aio.insecure_channel(url, options=_CHANNEL_OPTIONS)
        self._stub: Any = GRPCInferenceServiceStub(self._channel)
        self._inference_timeout_s = inference_timeout_s
        self._bulk = asyncio.Semaphore(bulk_in_flight)
        self.doubted = asyncio.Event()  # set by a call that failed as if Triton, or the network, were gone
        self.activity: dict[str, Activity] = {}
        self._configs: dict[str, ModelConfig] = {}
        self._sent = SentInferences()
        self._waiting = 0  # samples of bulk work that waits to be sent
        self._is_given_up = False
        self._given_up: Counter[str] = Counter()  # how often each network was

    async def close(self) -> None:
        self._is_given_up = True
        await self._channel.close()

    @property
    def samples(self) -> int:
        """Samples of all pending calls."""
        return self._waiting + sum(activity.waiting for activity in self.activity.values())

    def give_up(self, network: str | None = None) -> None:
        """Fails the pending inferences of a network, or all, and further ones until `take_up`."""
        if network is None:
            self._is_given_up = True
        else:
            self._given_up[network] += 1
        self._sent.give_up(network)

    def take_up(self) -> None:
        """Lets inferences be sent again."""
        self._is_given_up = False

    async def server_name(self, timeout_s: float = _QUESTION_TIMEOUT_S) -> str:
        request = pb.ServerMetadataRequest()
        metadata = await self._asked(self._stub.ServerMetadata(request, timeout=timeout_s))
        return str(metadata.name)

    async def models(self) -> list[LoadedModel]:
        """Returns the models that are or were in the repository, loaded or not."""
        request = pb.RepositoryIndexRequest()
        index = await self._asked(self._stub.RepositoryIndex(request, timeout=_QUESTION_TIMEOUT_S))
        return [
            LoadedModel(model.name, model.version, model.state == "READY", model.reason == "unloaded", model.reason)
            for model in index.models
        ]

    async def load(self, network: str, config: str = "") -> None:
        """Loads a network of a Triton of the service's own, or its newest version. The one before serves meanwhile.

        Args:
            network: Its folder in the repository.
            config: JSON to be used instead of the folder's configuration.

        Raises:
            RuntimeError: Triton refuses it, and says why; the one before is kept.
            Unavailable, DeadlineExceeded: Triton did not answer.
        """
        request = pb.RepositoryModelLoadRequest(model_name=network)
        if config:
            request.parameters["config"].string_param = config
        await self._changed(self._stub.RepositoryModelLoad, request)

    async def unload(self, network: str) -> None:
        """Unloads a network once its pending inferences have ended. Raises as `load`."""
        await self._changed(self._stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest(model_name=network))

    async def _changed(self, method: Any, request: Any) -> None:
        try:
            await method(request, timeout=_LOADING_TIMEOUT_S)
        except grpc.aio.AioRpcError as error:
            if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise _own(error) from error
            raise RuntimeError(error.details()) from error

    async def config(self, model: str) -> ModelConfig:
        request = pb.ModelConfigRequest(name=model)
        answer = await self._asked(self._stub.ModelConfig(request, timeout=_QUESTION_TIMEOUT_S))
        config: ModelConfig = answer.config
        self._configs[model] = config
        return config

    async def infer(self, network: str, tensors: Tensors, version: str = "") -> Outputs:  # noqa: ARG002
        """Returns all outputs of the network.

        Args:
            network: Name of the Triton model.
            tensors: Inputs by name, each with the batch as its first axis.
            version: Without effect: there is one, the newest.

        Raises:
            Unavailable: Triton, or the network, is not there.
            DeadlineExceeded: It did not answer in time.
            Overloaded: Its queue is full.
        """
        is_bulk = present().latency is Latency.BULK
        if not is_bulk and not self._sent.are_many_left:
            return await self._infer(network, tensors)
        given_up, samples = self._given_up[network], len(next(iter(tensors.values())))
        self._waiting += samples
        try:
            async with asyncio.timeout(present().left_s()):
                await self._sent.room()
                if is_bulk:
                    await self._bulk.acquire()
        except TimeoutError:
            raise DeadlineExceeded(TOO_LATE) from None
        finally:
            self._waiting -= samples
        with ExitStack() as place:
            if is_bulk:
                place.callback(self._bulk.release)
            if self._given_up[network] != given_up:  # meanwhile
                raise Unavailable(_AWAY)
            return await self._infer(network, tensors, place=place)

    async def _infer(
        self, network: str, tensors: Tensors, timeout_s: float | None = None, place: ExitStack | None = None
    ) -> Outputs:
        """As `infer`, within a time of its own; what is in `place` is closed when Triton is done with the inference."""
        if self._is_given_up:
            raise Unavailable(_AWAY)
        urgency = present()
        left_s = urgency.left_s()
        limit_s = timeout_s or self._inference_timeout_s
        request = _request(network, tensors, urgency.latency, left_s)
        activity = self.activity.setdefault(network, Activity())
        samples, began = len(next(iter(tensors.values()))), time.monotonic()
        activity.began(samples)
        try:
            with triton_call(network, samples) as metadata:
                call = self._stub.ModelInfer(request, timeout=self._inference_timeout_s, metadata=metadata)
                within_s = limit_s if left_s is None else min(limit_s, left_s)
                ended = ExitStack() if place is None else place.pop_all()
                answer = await self._sent.answer(network, call, within_s, ended.close)
        except TimeoutError:
            activity.abandoned += samples
            if left_s is not None and left_s < limit_s:
                raise DeadlineExceeded(TOO_LATE) from None  # by the caller's own limit: no fault of Triton's
            raise self._failed(activity, DeadlineExceeded(_TOO_SLOW)) from None
        except grpc.aio.AioRpcError as error:
            raise self._refusal(activity, error) from error
        except asyncio.CancelledError:
            if time.monotonic() - began > activity.patience_s() and not activity.answered_after(began):
                activity.failed = True  # the caller gave up, and no other call was answered
            activity.abandoned += samples
            # A call that was given up, or whose channel was closed; a caller's own cancellation looks different.
            current = asyncio.current_task()
            if current is not None and current.cancelling():
                raise
            raise Unavailable(_AWAY) from None
        finally:
            activity.waiting -= samples
        outputs = _arrays(answer)
        config = self._configs.get(network)
        if config is not None and any(wanted.name not in outputs for wanted in config.output):
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
        await self._infer(network, tensors, timeout_s)

    async def _asked(self, call: Awaitable[T]) -> T:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise _own(error) from error

    def _refusal(self, activity: Activity, error: grpc.aio.AioRpcError) -> Exception:
        """Returns the error of an inference that Triton did not answer."""
        if _IN_QUEUE_TOO_LONG in (error.details() or ""):
            return DeadlineExceeded(TOO_LATE)  # by the caller's own limit: no fault of Triton's
        return self._failed(activity, _own(error))

    def _failed(self, activity: Activity, error: Exception) -> Exception:
        if isinstance(error, Unavailable | DeadlineExceeded):
            activity.failed = True
            self.doubted.set()
        return error


def _request(network: str, tensors: Tensors, priority: int, left_s: float | None) -> pb.ModelInferRequest:
    """Returns the request of an inference, which Triton refuses where it has waited in the queue for `left_s`."""
    request = pb.ModelInferRequest(model_name=network)
    request.parameters["priority"].uint64_param = priority
    if left_s is not None:
        request.parameters["timeout"].int64_param = max(1, round(1e6 * left_s))  # 0: any time
    for name, array in tensors.items():
        request.inputs.add(name=name, datatype=np_to_triton_dtype(array.dtype), shape=array.shape)
        request.raw_input_contents.append(array.tobytes())
    return request


def _arrays(answer: pb.ModelInferResponse) -> Outputs:
    """Returns the outputs of an answer by name, without those whose data are missing."""
    arrays = Outputs()
    arrays.version = answer.model_version
    for output, data in zip(answer.outputs, answer.raw_output_contents, strict=False):
        array = np.frombuffer(data, triton_to_np_dtype(output.datatype))
        if array.size == math.prod(output.shape):
            arrays[output.name] = array.reshape(output.shape)
    return arrays


def _own(error: grpc.aio.AioRpcError) -> Exception:
    code, text = error.code(), error.details() or ""
    if code == grpc.StatusCode.DEADLINE_EXCEEDED:
        return DeadlineExceeded(_TOO_SLOW)
    if code == grpc.StatusCode.RESOURCE_EXHAUSTED or "maximum queue size" in text:
        return Overloaded("Triton's queue is full; try again in a second")
    if code == grpc.StatusCode.INVALID_ARGUMENT or "OpenVINO" in text:
        return RuntimeError(f"Triton: {code.name} {text}")
    return Unavailable(_AWAY)
