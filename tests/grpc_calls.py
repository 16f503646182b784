"""The service's gRPC by its stubs, message by message: for tests of the contract, which the client would hide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

import grpc
from deephar.messages import item_request
from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc
from deephar.video import frames_of as client_frames_of


def frames_of(path: str) -> Iterator[pb.Frame]:
    """Yields the frames of a video file, as the client sends them."""
    return (item_request(frame).frame for frame in client_frames_of(path))


class GrpcCalls:
    """A channel to the service. Calls raise `grpc.RpcError`."""

    def __init__(
        self, address: str, api_key: str | None = None, credentials: grpc.ChannelCredentials | None = None
    ) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if credentials is None:
            self._channel = grpc.insecure_channel(address, options)
        else:
            self._channel = grpc.secure_channel(address, credentials, options)
        self._metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        self._stub = pb_grpc.InferenceServiceStub(self._channel)

    def __enter__(self) -> GrpcCalls:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._channel.close()

    def models(self) -> list[pb.Model]:
        response = self._stub.ListModels(pb.ListModelsRequest(), timeout=60, metadata=self._metadata)
        return list(response.models)

    def pose(
        self, image: bytes, boxes: Sequence[Sequence[float]] = (), timeout_s: float = 60.0, **options: Any
    ) -> pb.EstimatePoseResponse:
        messages = [pb.Box(x=x, y=y, width=width, height=height) for x, y, width, height in boxes]
        request = pb.EstimatePoseRequest(image=image, boxes=messages, **options)
        answer: pb.EstimatePoseResponse = self._stub.EstimatePose(request, timeout=timeout_s, metadata=self._metadata)
        return answer

    def classify(self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None = None) -> pb.ClassifyClipResponse:
        requests = _requests(frames, config)
        answer: pb.ClassifyClipResponse = self._stub.ClassifyClip(requests, timeout=120, metadata=self._metadata)
        return answer

    def stream(
        self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None = None
    ) -> Iterator[pb.StreamVideoResponse]:
        """Yields the events; leaving early cancels the call."""
        call = self._stub.StreamVideo(_requests(frames, config), metadata=self._metadata)
        try:
            yield from call
        finally:
            call.cancel()


def _requests(frames: Iterable[pb.Frame], config: pb.StreamConfig | None) -> Iterator[pb.StreamVideoRequest]:
    yield pb.StreamVideoRequest(config=config or pb.StreamConfig())
    for frame in frames:
        yield pb.StreamVideoRequest(frame=frame)
