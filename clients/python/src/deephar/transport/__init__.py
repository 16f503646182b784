"""How a service is spoken to: gRPC or REST with WebSockets, each for synchronous and for asynchronous callers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from deephar.events import Event
from deephar.frames import Flush, Frame
from deephar.options import PoseOptions, VideoOptions
from deephar.results import ActionsAnswer, Model, PoseAnswer


@dataclass(frozen=True, slots=True)
class Connecting:
    """What a connection needs beside the address.

    Attributes:
        api_key: Key or token.
        credentials: gRPC's, or None.
        ca: PEM of the certificate authority that is trusted, or None for those that browsers trust.
    """

    api_key: str | None = None
    credentials: object | None = None
    ca: bytes | None = None


class Message(NamedTuple):
    """What comes back in a stream: an event, credits, or both."""

    event: Event | None
    received: int  # frames that the service has received over this connection
    credits: int  # further ones that there is room for


class StreamConnection(Protocol):
    """One connection of a stream, for one thread that sends and another that receives."""

    def send(self, item: Frame | Flush) -> None:
        """Sends an item. After the connection was lost it may do nothing."""

    def end(self) -> None:
        """Says that nothing more will be sent."""

    def receive(self, timeout_s: float) -> Message | None:
        """Returns the next message; None: the service has answered everything.

        Raises:
            TimeoutError: None came in time.
            DeepharError: The stream has failed; `Unreachable` where the connection was lost.
        """

    def close(self) -> None:
        """Ends the connection on both sides."""


class Transport(Protocol):
    """The calls of a service. All raise `DeepharError`."""

    def models(self, timeout_s: float) -> list[Model]: ...

    def pose(self, picture: bytes, options: PoseOptions, timeout_s: float) -> PoseAnswer: ...

    def classify(
        self, video: Path | Iterator[Frame | Flush], options: VideoOptions, timeout_s: float
    ) -> ActionsAnswer: ...

    def stream(self, options: VideoOptions, connect_timeout_s: float) -> StreamConnection: ...

    def close(self) -> None: ...


class AsyncStreamConnection(Protocol):
    """As `StreamConnection`, for tasks."""

    async def send(self, item: Frame | Flush) -> None: ...

    async def end(self) -> None: ...

    async def receive(self, timeout_s: float) -> Message | None: ...

    async def close(self) -> None: ...


class AsyncTransport(Protocol):
    """As `Transport`, for tasks."""

    async def models(self, timeout_s: float) -> list[Model]: ...

    async def pose(self, picture: bytes, options: PoseOptions, timeout_s: float) -> PoseAnswer: ...

    async def classify(
        self, video: Path | AsyncIterator[Frame | Flush], options: VideoOptions, timeout_s: float
    ) -> ActionsAnswer: ...

    async def stream(self, options: VideoOptions, connect_timeout_s: float) -> AsyncStreamConnection: ...

    async def close(self) -> None: ...
