"""Inferences of a Triton in order, several under way at a time, and what its errors mean."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import grpc
import numpy as np
from numpy.typing import NDArray
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc.model_config_pb2 import ModelConfig
from tritonclient.grpc.service_pb2_grpc import GRPCInferenceServiceStub
from tritonclient.utils import triton_to_np_dtype

from models.evaluation.targets.model_folder import missing_model
from models.evaluation.targets.problem import TargetProblem

UNDER_WAY = 3  # one is computed, one waits for it, one is on its way
PATIENCE_S = 60.0  # with a Triton that was there and does not answer: one that restarts loads its models
FIRST_PATIENCE_S = 2.0  # with one that has not answered yet
QUESTION_S = 10.0  # for an answer that takes no computing
LONGEST_S = 600.0  # of one inference
_ADDRESS = re.compile(r"(?:\[[^\s\[\]]+\]|[^\s:/@\[\]]+):(?P<port>\d{1,5})")
_OPTIONS = [
    ("grpc.max_send_message_length", -1),
    ("grpc.max_receive_message_length", -1),
    # A Triton that was started again is to be found at once, not after gRPC's usual minutes.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.keepalive_time_ms", 20_000),  # a machine that vanished says nothing
    ("grpc.keepalive_timeout_ms", 10_000),
]
# An inference changes nothing, so it may be asked for again: Triton, or the network, was away, or its queue was full.
_AGAIN = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0

Answer = dict[str, NDArray[Any]]


class Sent(NamedTuple):
    """A tensor to be sent."""

    name: str
    kind: str  # Triton's type
    shape: tuple[int, ...]
    content: bytes


class _UnderWay(NamedTuple):
    request: pb.ModelInferRequest
    call: Any


class _Lost(Exception):
    """Triton broke off in the middle of its answer."""


class TritonCalls:
    """A connection to a Triton.

    Args:
        address: HOST:PORT of its gRPC.

    Raises:
        TargetProblem: It is no such address.
    """

    def __init__(self, address: str) -> None:
        match = _ADDRESS.fullmatch(address)
        if match is None or not 0 < int(match["port"]) < 2**16:
            raise TargetProblem(f"{address!r} is no target: give torch, onnx, gateway, or HOST:PORT of a Triton's gRPC")
        self._address = address
        self._channel = grpc.insecure_channel(address, options=_OPTIONS)
        self._stub: Any = GRPCInferenceServiceStub(self._channel)
        self._versions: dict[str, str] = {}

    def close(self) -> None:
        self._channel.close()

    def server(self) -> str:
        """The server's name and version.

        Raises:
            TargetProblem: No Triton answers.
        """
        answer = self._asked(lambda: self._stub.ServerMetadata(pb.ServerMetadataRequest(), timeout=QUESTION_S))
        return f"{answer.name} {answer.version}"

    def config(self, network: str) -> ModelConfig:
        """The configuration of a network.

        Raises:
            TargetProblem: Triton has not loaded it.
        """
        request = pb.ModelConfigRequest(name=network)
        try:
            config: ModelConfig = self._stub.ModelConfig(request, timeout=QUESTION_S).config
        except grpc.RpcError as error:
            raise self._without(network, error) from None
        return config

    def answers(self, network: str, batches: Iterable[Sequence[Sent]], wanted: Sequence[str]) -> Iterator[Answer]:
        """The outputs of batches, in order. At most `UNDER_WAY` are under way.

        Raises:
            TargetProblem: Triton refuses them, is away for longer than a restart takes, or has changed the network.
        """
        under_way: deque[_UnderWay] = deque()
        try:
            for batch in batches:
                under_way.append(self._send(_request(network, batch, wanted)))
                if len(under_way) >= UNDER_WAY:
                    yield self._answer(under_way.popleft())
            while under_way:
                yield self._answer(under_way.popleft())
        finally:
            # Triton 2.51 may end by signal 11 where a call is cancelled just as it is answered: they end by themselves.
            for left in under_way:
                left.call.exception(timeout=None) if not left.call.done() else None

    def _send(self, request: pb.ModelInferRequest) -> _UnderWay:
        return _UnderWay(request, self._stub.ModelInfer.future(request, timeout=LONGEST_S))

    def _answer(self, sent: _UnderWay) -> Answer:
        network = sent.request.model_name
        deadline, pause_s = time.monotonic() + PATIENCE_S, _FIRST_PAUSE_S
        while True:
            try:
                answer = sent.call.result()
                arrays = _arrays(answer, sent.request)
                break
            except _Lost:
                reason = "it broke off in the middle of an answer"
            except grpc.RpcError as error:
                if error.code() not in _AGAIN:
                    raise self._refused(network, error) from None
                reason = _details(error)
            if time.monotonic() > deadline:
                raise TargetProblem(
                    f"the Triton at {self._address} has not answered for {PATIENCE_S:.0f} s ({reason}); "
                    "start it again, and the evaluation goes on where it was"
                ) from None
            time.sleep(pause_s)
            pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)
            sent = self._send(sent.request)
        if self._versions.setdefault(network, answer.model_version) != answer.model_version:
            raise TargetProblem(
                f"{network} was replaced during the evaluation (version {self._versions[network]}, then "
                f"{answer.model_version}): evaluate again"
            )
        return arrays

    def _asked(self, ask: Callable[[], Any]) -> Any:
        deadline = time.monotonic() + FIRST_PATIENCE_S
        while True:
            try:
                return ask()
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                    raise TargetProblem(
                        f"what answers at {self._address} is no Triton; is it the gateway of deephar-serve? Then "
                        f"DEEPHAR_ADDRESS={self._address} and --target gateway, or give the address of its Triton"
                    ) from None
                if error.code() not in _AGAIN or time.monotonic() > deadline:
                    raise TargetProblem(
                        f"no Triton answers by gRPC at {self._address} ({_details(error)}). Start one: "
                        ".venv-triton/bin/python service/embedded_triton/launcher.py --repository model_repository "
                        f"--port {self._address.rpartition(':')[2]}"
                    ) from None
            time.sleep(_FIRST_PAUSE_S)

    def _without(self, network: str, error: grpc.RpcError) -> TargetProblem:
        try:
            index = self._stub.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=QUESTION_S)
        except grpc.RpcError:
            return self._refused(network, error)
        state = next((model for model in index.models if model.name == network), None)
        if state is not None:
            return TargetProblem(
                f"the Triton at {self._address} has not loaded {network}: {state.reason or state.state}"
            )
        return TargetProblem(missing_model(network, [model.name for model in index.models], f"Triton {self._address}"))

    def _refused(self, network: str, error: grpc.RpcError) -> TargetProblem:
        if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
            return TargetProblem(f"{network} at {self._address} has not answered within {LONGEST_S:.0f} s")
        return TargetProblem(f"the Triton at {self._address} refuses {network}: {_details(error)}")


def _request(network: str, batch: Sequence[Sent], wanted: Sequence[str]) -> pb.ModelInferRequest:
    request = pb.ModelInferRequest(model_name=network)
    for tensor in batch:
        request.inputs.add(name=tensor.name, datatype=tensor.kind, shape=tensor.shape)
        request.raw_input_contents.append(tensor.content)
    for name in wanted:
        request.outputs.add(name=name)
    return request


def _arrays(answer: pb.ModelInferResponse, request: pb.ModelInferRequest) -> Answer:
    """The outputs by name. Raises `_Lost` where some are missing, as of a Triton that ended while it answered."""
    arrays: Answer = {}
    for output, content in zip(answer.outputs, answer.raw_output_contents, strict=False):
        array = np.frombuffer(content, triton_to_np_dtype(output.datatype))
        if array.size == np.prod(output.shape):
            arrays[output.name] = array.reshape(output.shape)
    if any(output.name not in arrays for output in request.outputs):
        raise _Lost
    return arrays


def _details(error: grpc.RpcError) -> str:
    return " ".join((error.details() or error.code().name).split())[:300]
