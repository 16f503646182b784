"""The asynchronous client of deephar-serve, over gRPC or REST."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from os import PathLike
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar, cast

from deephar.address import Address
from deephar.async_stream import events_of
from deephar.client import connecting_to
from deephar.errors import Closed, DeepharError
from deephar.events import Event
from deephar.inputs import async_items_of, encoded, items_of
from deephar.options import BoxLike, Camera, DropPolicy, Effort, People, PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Model, PoseAnswer
from deephar.retries import Retries
from deephar.tasks import cancellations
from deephar.transport import AsyncTransport, Connecting

if TYPE_CHECKING:
    import grpc

    from deephar.inputs import AsyncVideoLike, PictureLike

T = TypeVar("T")


class AsyncClient:
    """As `deephar.Client`, for asyncio: the same calls with the same arguments, to be awaited.

    Use it as an asynchronous context manager, or await `close`. Files and iterables that are not asynchronous are read
    in a thread.

    Args:
        address: As in `Client`; so are the others.
        timeout_s: Time limit of each call.
        api_key: Key or token.
        credentials: Of gRPC.
        ca: The certificate authority to trust.
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
        self._where, self._connecting = connecting_to(address, api_key, credentials, ca)
        self._made: AsyncTransport | None = None  # with the first call, whose event loop it belongs to
        self._is_closed = False
        self._running: set[asyncio.Task[Any]] = set()  # what calls and streams wait for
        self._timeout_s, self._retries = timeout_s, retries

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; running calls end with `Closed`."""
        self._is_closed = True
        running = self._running - {asyncio.current_task()}
        try:
            if running:
                for call in running:
                    if not call.cancelling():  # a second time would end its ending
                        call.cancel()
                await asyncio.wait(running)
        finally:  # whoever waits may be cancelled, or be a part of such a call: the task that reads its video
            if self._made is not None:
                await self._made.close()

    async def models(self, *, timeout_s: float | None = None) -> list[Model]:
        """Returns the models of the service; see `Client.models`.

        Raises:
            DeepharError: The call failed.
        """
        return await self._trying(self._transport.models, timeout_s)

    async def pose(
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
        """Estimates the poses of the people in a picture; see `Client.pose`.

        Raises:
            DeepharError: The call failed.
            OSError: The file cannot be read.
        """
        options = PoseOptions(model, boxes, layout, camera, max_people, flip, min_score, effort)
        data = picture if isinstance(picture, bytes) else await asyncio.to_thread(encoded, picture)
        return await self._trying(lambda left_s: self._transport.pose(data, options, left_s), timeout_s)

    async def classify(
        self,
        video: AsyncVideoLike,
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
        """Recognizes the actions in a finite video; see `Client.classify`.

        Raises:
            DeepharError: The call failed.
            OSError: The file cannot be read.
            Exception: What the video raises.
        """
        options = VideoOptions(model, top_k, hop, people, box, layout, effort, max_people, smooth)
        source = Path(video) if isinstance(video, str | PathLike) else async_items_of(video, fps)
        return await self._while_open(self._transport.classify(source, options, self._limit_s(timeout_s)))

    def stream(
        self,
        video: AsyncVideoLike,
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
    ) -> AsyncGenerator[Event, None]:
        """Yields poses, actions and segments while the frames are being sent; see `Client.stream`.

        Whoever leaves early should end it by `contextlib.aclosing`: asyncio does so only some time later.

        Raises:
            DeepharError: The stream failed.
            Exception: What the video raises.
        """
        options = VideoOptions(
            model, top_k, hop, people, box, layout, effort, max_people, smooth, want_keypoints, drop_policy, deadline_ms
        )
        return self._streamed(video, fps, options, event_timeout_s, reconnect)

    async def _streamed(
        self, video: AsyncVideoLike, fps: float | None, options: VideoOptions, event_timeout_s: float, reconnect: bool
    ) -> AsyncGenerator[Event, None]:
        if isinstance(video, str | PathLike):  # its errors come before those of the connection
            video = await asyncio.to_thread(items_of, video)
        items = async_items_of(video, fps)
        async with aclosing(events_of(self._transport, items, options, event_timeout_s, reconnect)) as events:
            while (event := await self._while_open(anext(events, None))) is not None:
                yield event

    @property
    def _transport(self) -> AsyncTransport:
        if self._is_closed:
            raise Closed
        if self._made is None:
            self._made = _transport(self._where, self._connecting)
        return self._made

    async def _while_open(self, call: Awaitable[T]) -> T:
        """Waits for a call or for the next event of a stream, until the client is closed."""
        before = cancellations()
        running = cast("asyncio.Task[T]", asyncio.ensure_future(call))  # all that is given here becomes a task
        self._running.add(running)
        try:
            return await running
        except asyncio.CancelledError:
            if not self._is_closed or cancellations() > before:
                raise
            raise Closed from None
        except Exception as error:
            if not self._is_closed or isinstance(error, Closed):
                raise
            raise Closed from error
        finally:
            self._running.discard(running)

    async def _trying(self, call: Callable[[float], Awaitable[T]], timeout_s: float | None) -> T:
        retries = Retries(self._limit_s(timeout_s), self._retries)
        while True:
            try:
                return await self._while_open(call(retries.left_s()))
            except DeepharError as error:
                if (pause_s := retries.pause_s(error)) is None:
                    raise
                await self._while_open(asyncio.sleep(pause_s))

    def _limit_s(self, timeout_s: float | None) -> float:
        return self._timeout_s if timeout_s is None else timeout_s


def _transport(address: Address, connecting: Connecting) -> AsyncTransport:
    if address.is_rest:
        from deephar.transport.rest_async import AsyncRestTransport

        return AsyncRestTransport(address, connecting)
    from deephar.transport.grpc_async import AsyncGrpcTransport

    return AsyncGrpcTransport(address, connecting)
