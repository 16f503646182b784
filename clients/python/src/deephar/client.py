"""The synchronous client of deephar-serve, over gRPC."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from ipaddress import ip_address
from types import TracebackType
from typing import Literal

import grpc

from deephar.v1 import inference_pb2 as pb
from deephar.v1 import inference_pb2_grpc as pb_grpc

Box = tuple[float, float, float, float]  # x, y, width, height in pixels of the upright picture
Effort = Literal["fast", "balanced", "best"]
EFFORTS: dict[Effort | None, pb.Effort] = {
    None: pb.EFFORT_UNSPECIFIED,
    "fast": pb.EFFORT_FAST,
    "balanced": pb.EFFORT_BALANCED,
    "best": pb.EFFORT_BEST,
}
Camera = pb.Camera  # fx, fy, cx, cy in pixels of the upright picture; root_depth_mm: a list, one for all or one per box


class Client:
    """A connection to a deephar-serve. Use it as a context manager, or call `close`.

    Every call raises `grpc.RpcError` where it fails: `error.code()` is the gRPC status, `error.details()` says what to
    do, and the trailing metadata `deephar-code` is the stable code that REST answers too.

    Args:
        address: host:port of the service's gRPC. The connection is made with the first call.
        timeout_s: Time limit of `models` and `pose`; streams have none.
        api_key: Key or token, where the service asks for one. Over a plain connection to another machine it can be read
            on its way: there is a warning.
        credentials: For TLS, as `grpc.ssl_channel_credentials()`; None: a plain connection.
    """

    def __init__(
        self,
        address: str = "localhost:8081",
        timeout_s: float = 60.0,
        api_key: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if credentials is not None:
            self._channel = grpc.secure_channel(address, credentials, options=options)
        else:
            if api_key and not _is_here(address):
                warnings.warn(f"the key goes to {address} over a plain connection; give credentials", stacklevel=2)
            self._channel = grpc.insecure_channel(address, options=options)
        self._metadata = (("authorization", f"Bearer {api_key}"),) if api_key else ()
        self._stub = pb_grpc.InferenceServiceStub(self._channel)
        self._timeout_s = timeout_s

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; running calls are cancelled."""
        self._channel.close()

    def models(self) -> list[pb.Model]:
        """Returns the models of the service, ready or not.

        Raises:
            grpc.RpcError: The call failed.
        """
        response = self._stub.ListModels(pb.ListModelsRequest(), timeout=self._timeout_s, metadata=self._metadata)
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
        min_score: float | None = None,
        effort: Effort | None = None,
        timeout_s: float | None = None,
    ) -> pb.EstimatePoseResponse:
        """Estimates the poses of the people in a picture.

        Args:
            image: An encoded picture: JPEG, PNG, WebP, BMP, HEIC or AVIF. It is turned upright as it says.
            model: Name of the model; empty: the service's default.
            boxes: x, y, width, height in pixels of the upright picture, one for each person. Without boxes people are
                detected.
            layout: Joint layout of the answer, for example "coco17"; empty: the model's own.
            camera: With it, each keypoint gets a position in space; for models that know or lift depth.
            max_people: Without boxes, the largest number of people; 0: the service's limit.
            flip: Average with the mirrored picture (flip test); twice the work.
            min_score: Without boxes, the lowest score of a person; None: people whose mean keypoint score is below 0.3
                are left out.
            effort: "fast", "balanced" or "best": which of the models of one kind answers; None: balanced.
            timeout_s: Other than the client's. Where a model would answer too late, a faster one is taken.

        Returns:
            One person per box, in input order; without boxes, by descending score, which is the share of the joints
            that are expected to be right; `detection_score` is the detector's. Keypoints have x and
            y in pixels of the upright picture, z in millimetres from the root joint's plane (positive: behind it) where
            the model has depth, and with a camera `position_mm` in the camera's coordinates (x to the right, y down, z
            along the optical axis).

        Raises:
            grpc.RpcError: The call failed.
        """
        requested = [pb.Box(x=x, y=y, width=width, height=height) for x, y, width, height in boxes]
        request = pb.EstimatePoseRequest(
            image=image,
            model=model,
            boxes=requested,
            layout=layout,
            camera=camera,
            max_people=max_people,
            flip=flip,
            min_score=min_score,
            effort=EFFORTS[effort],
        )
        return self._stub.EstimatePose(request, timeout=timeout_s or self._timeout_s, metadata=self._metadata)

    def classify(self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None = None) -> pb.ClassifyClipResponse:
        """Recognizes the actions in a finite clip.

        Args:
            frames: Frames with time stamps that rise; `deephar.video.frames_of` reads them from a file.
            config: Options of the clip; absent: the service's defaults.

        Returns:
            The actions of each person by descending score and, in `actions`, those of the person with the most windows;
            the segments of all. Times are seconds of media time. What the scores of all actions lack to 1 is the score
            of the background class.

        Raises:
            grpc.RpcError: The call failed.
            Exception: What `frames` raises, such as `deephar.video.NotAVideo`.
        """
        requests = _Requests(frames, config)
        with requests.own_errors():
            return self._stub.ClassifyClip(iter(requests), metadata=self._metadata)

    def stream(
        self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None = None
    ) -> Iterator[pb.StreamVideoResponse]:
        """Yields poses, actions and segments while the frames are being sent.

        Leaving the loop early ends the stream on the server too.

        Args:
            frames: Frames with time stamps that rise; the stream may be endless.
            config: Options of the stream; absent: the service's defaults.

        Yields:
            Events: first `started`, then each a `pose`, an `action` or a `segment`, and for a frame that cannot be used
            a `frame_error`. Keypoints are as in `pose`, times are seconds of media time.

        Raises:
            grpc.RpcError: The call failed.
            Exception: What `frames` raises, such as `deephar.video.NotAVideo`.
        """
        requests = _Requests(frames, config)
        call = self._stub.StreamVideo(iter(requests), metadata=self._metadata)
        try:
            with requests.own_errors():
                yield from call
        finally:
            call.cancel()


def _is_here(address: str) -> bool:
    """Returns whether an address is one of this machine alone."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or address.startswith("unix:") or ip_address(host).is_loopback
    except ValueError:
        return False


class _Requests:
    """The requests of a stream. What their frames raise is raised to the caller, where gRPC says UNKNOWN only."""

    def __init__(self, frames: Iterable[pb.Frame], config: pb.StreamConfig | None) -> None:
        self._frames, self._config = frames, config
        self._error: Exception | None = None

    def __iter__(self) -> Iterator[pb.StreamVideoRequest]:
        yield pb.StreamVideoRequest(config=self._config or pb.StreamConfig())
        try:
            for frame in self._frames:
                yield pb.StreamVideoRequest(frame=frame)
        except Exception as error:
            self._error = error
            raise

    @contextmanager
    def own_errors(self) -> Iterator[None]:
        try:
            yield
        except grpc.RpcError:
            if self._error is not None:
                raise self._error from None
            raise
