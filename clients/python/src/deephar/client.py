"""The synchronous client: one object, four calls."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType

import grpc

from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

Box = tuple[float, float, float, float]  # x, y, width, height in pixels
Camera = pb.Camera  # fx, fy, cx, cy in pixels of the picture; root_depth_mm: [one for all] or one for each box


class Client:
    """Talks to a deephar-serve at `address` (host:port of its gRPC). Failed calls raise `grpc.RpcError`."""

    def __init__(self, address: str = "localhost:8081", timeout_s: float = 60.0) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._channel = grpc.insecure_channel(address, options=options)
        self._stub = pb_grpc.InferenceServiceStub(self._channel)
        self._timeout_s = timeout_s

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._channel.close()

    def models(self) -> list[pb.Model]:
        response = self._stub.ListModels(pb.ListModelsRequest(), timeout=self._timeout_s)
        return list(response.models)

    def pose(
        self,
        image: bytes,
        model: str = "",
        boxes: Sequence[Box] = (),
        layout: str = "",
        camera: Camera | None = None,
        max_people: int = 0,
        flip: bool = False,
    ) -> pb.EstimatePoseResponse:
        """Joints of the people in an encoded picture, in pixels. With a camera, a 3D model places them in space too.

        Without boxes people are looked for: the best `max_people`, 0 for as many as the server allows. `flip` averages
        with the mirrored picture.
        """
        wanted = [pb.Box(x=x, y=y, width=width, height=height) for x, y, width, height in boxes]
        request = pb.EstimatePoseRequest(
            image=image,
            model=model,
            boxes=wanted,
            layout=layout,
            camera=camera,
            max_people=max_people,
            flip=flip,
        )
        return self._stub.EstimatePose(request, timeout=self._timeout_s)

    def classify(self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None = None) -> pb.ClassifyClipResponse:
        """The action in a finite clip; `deephar.video.frames_of` makes frames of a file."""
        return self._stub.ClassifyClip(_requests(frames, config))

    def stream(
        self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None = None
    ) -> Iterator[pb.StreamVideoResponse]:
        """Events while the frames are still being sent. Leaving the loop early ends the stream on the server too."""
        call = self._stub.StreamVideo(_requests(frames, config))
        try:
            yield from call
        finally:
            call.cancel()


def _requests(frames: Iterable[pb.Frame], config: pb.StreamConfig | None) -> Iterator[pb.StreamVideoRequest]:
    yield pb.StreamVideoRequest(config=config or pb.StreamConfig())
    for frame in frames:
        yield pb.StreamVideoRequest(frame=frame)
