"""The synchronous client of deephar-serve, over gRPC or REST."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from deephar.address import Address, default_address
from deephar.errors import Closed, DeepharError, InvalidArgument
from deephar.events import Event
from deephar.inputs import encoded, items_of
from deephar.options import BoxLike, Camera, DropPolicy, Effort, People, PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Model, PoseAnswer
from deephar.retries import Retries
from deephar.stream import events_of
from deephar.transport import Connecting, Transport

if TYPE_CHECKING:
    import grpc

    from deephar.inputs import PictureLike, VideoLike

T = TypeVar("T")


class Client:
    """A connection to a deephar-serve. Use it as a context manager, or call `close`.

    Every call raises a `DeepharError` where it fails; its `code` is the stable one of REST and gRPC, its text says what
    to do. `models` and `pose` try again where that is safe: where nobody answers yet, or the service is overloaded.

    Args:
        address: host:port of the service's gRPC, or a URL: `grpc://`, `grpcs://` (with TLS), `http://`, `https://`
            (REST and WebSockets). None: the variable DEEPHAR_ADDRESS, or this machine. The connection is made with the
            first call.
        timeout_s: Time limit of each call, unless the call has its own; `stream` has one for each event.
        api_key: Key or token, where the service asks for one. Over a plain connection to another machine it can be read
            on its way: there is a warning.
        credentials: Of gRPC, as `grpc.ssl_channel_credentials()`, where a client certificate is wanted.
        ca: The certificate authority to trust, PEM or the path of its file; None: those that browsers trust. With it
            the connection is encrypted.
        retries: How often `models` and `pose` are tried again.

    Raises:
        InvalidArgument: The address is none.
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        timeout_s: float = 60.0,
        api_key: str | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        ca: str | PathLike[str] | bytes | None = None,
        retries: int = 3,
    ) -> None:
        where, connecting = connecting_to(address, api_key, credentials, ca)
        self._transport = _transport(where, connecting)
        self._timeout_s, self._retries = timeout_s, retries
        self._closed = threading.Event()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; running calls end with `Closed`."""
        self._closed.set()
        self._transport.close()

    def models(self, *, timeout_s: float | None = None) -> list[Model]:
        """Returns the models of the service, ready or not.

        Args:
            timeout_s: Other than the client's.

        Raises:
            DeepharError: The call failed.
        """
        return self._trying(self._transport.models, timeout_s)

    def pose(
        self,
        picture: PictureLike,
        *,
        model: str = "",
        boxes: Sequence[BoxLike] = (),
        layout: str = "",
        camera: Camera | None = None,
        max_people: int = 0,
        flip: bool = False,
        min_score: float | None = None,
        effort: Effort | None = None,
        timeout_s: float | None = None,
    ) -> PoseAnswer:
        """Estimates the poses of the people in a picture.

        Args:
            picture: Path of a file, an encoded picture (JPEG, PNG, WebP, BMP, HEIC or AVIF), which is turned upright as
                it says, or a NumPy array (H, W, 3) of uint8 in RGB, which is sent as PNG, without loss.
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
            One person for each box, in their order; without boxes, by descending score. See `deephar.results`.

        Raises:
            DeepharError: The call failed.
            OSError: The file cannot be read.
        """
        options = PoseOptions(model, boxes, layout, camera, max_people, flip, min_score, effort)
        data = encoded(picture)
        return self._trying(lambda left_s: self._transport.pose(data, options, left_s), timeout_s)

    def classify(
        self,
        video: VideoLike,
        *,
        fps: float | None = None,
        model: str = "",
        top_k: int = 0,
        hop: int = 0,
        people: People = "main",
        box: BoxLike | None = None,
        layout: str = "",
        effort: Effort | None = None,
        max_people: int = 0,
        smooth: bool = True,
        timeout_s: float | None = None,
    ) -> ActionsAnswer:
        """Recognizes the actions in a finite video.

        It is never tried again: its frames are read once.

        Args:
            video: Path of a file, or an iterable of `Frame`, or with `fps` one of pictures (arrays, or encoded). Over
                REST a file is sent as it is; over gRPC it is read here, by PyAV, frame by frame.
            fps: Frames a second, of pictures without times.
            model: Name of the model; empty: the service's default.
            top_k: How many actions to name; 0: 5.
            hop: Sampled frames from one window to the next; 0: a quarter of a window.
            people: "main": the main person; "all": all people, each with an id.
            box: Where the person is in the first frame; None: they are detected.
            layout: Joint layout; empty: the model's own.
            effort: As in `pose`.
            max_people: With "all", the largest number of people; 0: the service's limit.
            smooth: Whether a filter reduces the jitter of joints.
            timeout_s: Other than the client's, of the whole call.

        Returns:
            The actions of each person by descending score and, in `actions`, those of the person with the most windows;
            the segments of all. Times are seconds of media time.

        Raises:
            DeepharError: The call failed.
            OSError: The file cannot be read.
            Exception: What the video raises, such as `deephar.video.NotAVideo`.
        """
        options = VideoOptions(model, top_k, hop, people, box, layout, effort, max_people, smooth)
        source = Path(video) if isinstance(video, str | PathLike) else items_of(video, fps)
        with self._open():
            return self._transport.classify(source, options, self._limit_s(timeout_s))

    def stream(
        self,
        video: VideoLike,
        *,
        fps: float | None = None,
        model: str = "",
        top_k: int = 0,
        hop: int = 0,
        people: People = "main",
        box: BoxLike | None = None,
        layout: str = "",
        effort: Effort | None = None,
        max_people: int = 0,
        smooth: bool = True,
        want_keypoints: bool = False,
        drop_policy: DropPolicy = "lossless",
        deadline_ms: float = 0.0,
        event_timeout_s: float = 60.0,
        reconnect: bool = True,
    ) -> Generator[Event, None, None]:
        """Yields poses, actions and segments while the frames are being sent. The video may be endless.

        Leaving the loop early ends the stream on the service too; no more frames are sent than it has room for.

        Args:
            video: Path of a file, a `Capture` of a camera, or an iterable of `Frame`, or with `fps` one of pictures.
                `Flush` among them has all before answered for good.
            fps: Frames a second, of pictures without times.
            model: As in `classify`; so are all to `smooth`.
            top_k: How many actions to name.
            hop: Sampled frames from one window to the next.
            people: Also "boxes": those in the boxes that come with each frame, with the caller's ids.
            box: Where the person is in the first frame.
            layout: Joint layout.
            effort: As in `pose`.
            max_people: With "all", the largest number of people.
            smooth: Whether a filter reduces the jitter of joints.
            want_keypoints: Pose events of every frame, not only of the sampled ones.
            drop_policy: Where frames come too fast: "lossless", they wait, or "latest", a newer one takes the place of
                the one that waits.
            deadline_ms: Time that each frame may take: a faster model is taken if need be; 0: any.
            event_timeout_s: Longest wait for an event while frames wait for their answer; also for a lost connection to
                come back.
            reconnect: Whether a stream that has lost its gateway connects again, and sends the frames of the last
                window once more. Events come once, with the ids that people had.

        Yields:
            `Started` first, then the other events of `deephar.events`. Times are seconds of media time.

        Raises:
            DeepharError: The stream failed.
            Exception: What the video raises, such as `deephar.video.NotAVideo`.
        """
        options = VideoOptions(
            model, top_k, hop, people, box, layout, effort, max_people, smooth, want_keypoints, drop_policy, deadline_ms
        )
        return self._while_open(events_of(self._transport, items_of(video, fps), options, event_timeout_s, reconnect))

    def _while_open(self, events: Generator[Event, None, None]) -> Generator[Event, None, None]:
        with self._open():
            yield from events

    @contextmanager
    def _open(self) -> Iterator[None]:
        """What fails in a client that was closed meanwhile fails for that reason."""
        try:
            yield
        except Exception as error:
            if not self._closed.is_set() or isinstance(error, Closed):
                raise
            raise Closed from error

    def _trying(self, call: Callable[[float], T], timeout_s: float | None) -> T:
        retries = Retries(self._limit_s(timeout_s), self._retries)
        while True:
            try:
                with self._open():
                    return call(retries.left_s())
            except DeepharError as error:
                if (pause_s := retries.pause_s(error)) is None:
                    raise
                if self._closed.wait(pause_s):
                    raise Closed from error

    def _limit_s(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else timeout_s


def connecting_to(
    address: str | None, api_key: str | None, credentials: Any, ca: str | PathLike[str] | bytes | None
) -> tuple[Address, Connecting]:
    """Returns the address and what the connection needs; warns of a key that can be read on its way.

    Raises:
        InvalidArgument: The address is none, or credentials of gRPC are given for REST.
        OSError: The file of the authority cannot be read.
    """
    pem = Path(ca).read_bytes() if isinstance(ca, str | PathLike) else ca
    where = Address.of(address or default_address(), encrypted=credentials is not None or pem is not None)
    if credentials is not None and where.is_rest:
        raise InvalidArgument("invalid_argument", "credentials are those of gRPC; for https:// give ca")
    if api_key:
        where.warn_of_plain_key(stacklevel=3)
    return where, Connecting(api_key, credentials, pem)


def _transport(address: Address, connecting: Connecting) -> Transport:
    if address.is_rest:
        from deephar.transport.rest_sync import RestTransport

        return RestTransport(address, connecting)
    from deephar.transport.grpc_sync import GrpcTransport

    return GrpcTransport(address, connecting)
