"""gRPC for synchronous callers."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc

from deephar import messages
from deephar.address import Address
from deephar.clip import Clip, opened
from deephar.errors import Closed, DeepharError
from deephar.frames import Flush, Frame
from deephar.options import PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Model, PoseAnswer
from deephar.transport import Connecting, Message, StreamConnection
from deephar.transport.grpc_calls import OPTIONS, credentials_of, error_of, message_of, metadata_of
from deephar.transport.unreachable import unreachable
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

_WAITING = 2  # items between the threads of a stream
_POLL_S = 0.1


class GrpcTransport:
    """A channel. It connects with the first call."""

    def __init__(self, address: Address, connecting: Connecting) -> None:
        self._address, self._metadata = address, metadata_of(connecting)
        credentials = credentials_of(address, connecting)
        if credentials is None:
            self._channel = grpc.insecure_channel(address.target, OPTIONS)
        else:
            self._channel = grpc.secure_channel(address.target, credentials, OPTIONS)
        self._stub = pb_grpc.InferenceServiceStub(self._channel)
        self._is_closed = False

    def models(self, timeout_s: float) -> list[Model]:
        response = self._answer(self._stub.ListModels, pb.ListModelsRequest(), timeout_s)
        return messages.models_of(response)

    def pose(self, picture: bytes, options: PoseOptions, timeout_s: float) -> PoseAnswer:
        request = messages.pose_request(picture, options)
        return messages.pose_answer(self._answer(self._stub.EstimatePose, request, timeout_s))

    def classify(self, video: Path | Iterator[Frame | Flush], options: VideoOptions, timeout_s: float) -> ActionsAnswer:
        self._refuse_if_closed()
        clip = Clip(opened(video))
        requests = _Requests(clip, messages.config_request(options))
        call = self._stub.ClassifyClip.future(iter(requests), timeout=timeout_s, metadata=self._metadata)
        call.add_done_callback(lambda _: requests.done.set())
        try:
            requests.done.wait()
            if requests.error is not None:
                raise requests.error
            response = call.result()
        except grpc.RpcError as error:
            self._refuse_if_closed()
            raise error_of(error, self._address) from error
        finally:
            call.cancel()
        return messages.actions_answer(response, clip.facts())

    def stream(self, options: VideoOptions, connect_timeout_s: float) -> StreamConnection:  # noqa: ARG002
        self._refuse_if_closed()
        return _GrpcStream(self._stub, self._metadata, self._address, options)

    def close(self) -> None:
        self._is_closed = True
        self._channel.close()

    def _refuse_if_closed(self) -> None:
        if self._is_closed:
            raise Closed

    def _answer(self, method: Any, request: Any, timeout_s: float) -> Any:
        self._refuse_if_closed()
        try:
            return method(request, timeout=max(0.0, timeout_s), metadata=self._metadata)
        except grpc.RpcError as error:
            self._refuse_if_closed()
            raise error_of(error, self._address) from error


class _Requests:
    """The requests of a clip. What its frames raise is for the caller: gRPC would log it and say UNKNOWN.

    Attributes:
        error: What the frames raised.
        done: Set with it, and when the call ends.
    """

    def __init__(self, frames: Iterable[Frame | Flush], config: pb.StreamVideoRequest) -> None:
        self._frames, self._config = frames, config
        self.error: Exception | None = None
        self.done = threading.Event()

    def __iter__(self) -> Iterator[pb.StreamVideoRequest]:
        yield self._config
        try:
            for frame in self._frames:
                yield messages.item_request(frame)
        except Exception as error:
            self.error = error
            self.done.set()


class _GrpcStream:
    """A call of `StreamVideo`. gRPC cannot wait for an answer with a time limit: a thread reads them."""

    def __init__(self, stub: Any, metadata: Any, address: Address, options: VideoOptions) -> None:
        self._address = address
        self._requests: queue.Queue[pb.StreamVideoRequest | None] = queue.Queue(_WAITING)
        self._requests.put(messages.config_request(options))
        self._call = stub.StreamVideo(iter(self._requests.get, None), metadata=metadata)
        self._received: queue.Queue[Message | DeepharError | None] = queue.Queue(_WAITING)
        self._closed = threading.Event()
        threading.Thread(target=self._read, name="deephar-answers", daemon=True).start()

    def send(self, item: Frame | Flush) -> None:
        self._put(self._requests, messages.item_request(item))

    def end(self) -> None:
        self._put(self._requests, None)

    def receive(self, timeout_s: float) -> Message | None:
        try:
            received = self._received.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError from None
        if isinstance(received, DeepharError):
            raise received
        return received

    def close(self) -> None:
        self._closed.set()
        self._call.cancel()
        _put_at_once(self._requests, None)  # gRPC's thread waits for requests
        _put_at_once(self._received, unreachable(self._address, "the stream was closed"))  # and the caller's for events

    def _read(self) -> None:
        last: DeepharError | None = None
        try:
            for response in self._call:
                self._put(self._received, message_of(response))
        except grpc.RpcError as error:
            last = error_of(error, self._address, in_stream=True)
        self._put(self._received, last)

    def _put(self, place: queue.Queue[Any], item: Any) -> None:
        while not self._closed.is_set():
            try:
                return place.put(item, timeout=_POLL_S)
            except queue.Full:
                if place is self._requests and self._call.done():
                    return None
        return None


def _put_at_once(place: queue.Queue[Any], item: Any) -> None:
    """Puts an item in, instead of those before it where there is no room."""
    while True:
        try:
            return place.put_nowait(item)
        except queue.Full:
            with suppress(queue.Empty):
                place.get_nowait()
