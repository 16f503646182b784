"""A stream for asyncio: one task reads the frames, one sends them, the caller's receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from deephar.errors import DeepharError
from deephar.events import Event
from deephar.flow import Flow
from deephar.frames import Flush, Frame
from deephar.options import VideoOptions
from deephar.tasks import ended
from deephar.transport import AsyncStreamConnection, AsyncTransport, Message


async def events_of(
    transport: AsyncTransport,
    items: AsyncIterator[Frame | Flush],
    options: VideoOptions,
    event_timeout_s: float,
    reconnect: bool,
) -> AsyncGenerator[Event, None]:
    """Yields the events of a stream, over as many connections as it takes.

    Args:
        transport: Makes connections.
        items: What is sent.
        options: Of the stream.
        event_timeout_s: Longest wait for an event, and for a lost connection.
        reconnect: Whether to connect again after a lost connection.

    Raises:
        DeepharError: The stream failed.
        Exception: What `items` raises.
    """
    stream = _Stream(transport, items, options, event_timeout_s, reconnect)
    reading = asyncio.create_task(stream.read())
    try:
        async with aclosing(stream.events()) as events:
            async for event in events:
                yield event
    finally:
        await ended(reading)


class _Stream:
    def __init__(
        self,
        transport: AsyncTransport,
        items: AsyncIterator[Frame | Flush],
        options: VideoOptions,
        event_timeout_s: float,
        reconnect: bool,
    ) -> None:
        self._transport, self._items, self._options = transport, items, options
        self._timeout_s = event_timeout_s
        self._flow = Flow(options, reconnect, event_timeout_s)
        self._changed = asyncio.Condition()
        self._error: Exception | None = None  # what the items raised, or that one of them cannot be sent
        self._failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def events(self) -> AsyncGenerator[Event, None]:
        while True:
            try:
                async with aclosing(self._over_one_connection()) as events:
                    async for event in events:
                        yield event
            except DeepharError as error:
                if self._error is not None:
                    raise self._error from None
                given, pause_s = self._flow.failed(error)
                for event in given:
                    yield event
                if pause_s is None:
                    raise
                await asyncio.sleep(pause_s)
            else:
                for event in self._flow.finished():
                    yield event
                return

    async def _over_one_connection(self) -> AsyncGenerator[Event, None]:
        connection = await self._transport.stream(self._options, self._timeout_s)
        sending = asyncio.create_task(self._send(connection))
        try:
            while (message := await self._receive(connection)) is not None:
                events = self._flow.take(message)
                async with self._changed:
                    self._changed.notify_all()
                for event in events:
                    yield event
        finally:
            await ended(sending)
            await connection.close()

    async def _receive(self, connection: AsyncStreamConnection) -> Message | None:
        while True:
            received = asyncio.create_task(connection.receive(self._timeout_s))
            try:
                await asyncio.wait((received, self._failed), return_when=asyncio.FIRST_COMPLETED)
            finally:
                await ended(received)
            if self._error is not None:
                raise self._error
            try:
                return received.result()
            except TimeoutError:
                if not self._flow.may_wait:
                    raise self._flow.late() from None

    async def read(self) -> None:
        """Reads the items of the caller, as there is room for them."""
        try:
            async for item in self._items:
                async with self._changed:
                    self._flow.add(item)
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: not self._flow.is_full)
        except Exception as error:
            self._fail(error)
        finally:
            if (close := getattr(self._items, "aclose", None)) is not None:
                await close()
        async with self._changed:
            self._flow.end()
            self._changed.notify_all()

    async def _send(self, connection: AsyncStreamConnection) -> None:
        """Sends items over a connection until all were sent. Whoever receives learns when it was lost."""
        while True:
            async with self._changed:
                while (item := self._flow.next_item()) is None:
                    if self._flow.is_over and self._error is None:
                        break
                    await self._changed.wait()
                self._changed.notify_all()
            if item is None:
                await connection.end()
                return
            try:
                await connection.send(item)
            except Exception as error:
                self._fail(error)
                return

    def _fail(self, error: Exception) -> None:
        """Has the caller's task raise an error: it no longer waits for events."""
        self._error = error
        if not self._failed.done():
            self._failed.set_result(None)
