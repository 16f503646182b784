"""A stream for asyncio: one task reads the frames, one sends them, the caller's receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

from deephar.errors import DeepharError
from deephar.events import Event
from deephar.flow import Flow
from deephar.frames import Flush, Frame
from deephar.options import VideoOptions
from deephar.transport import AsyncStreamConnection, AsyncTransport, Message


async def events_of(
    transport: AsyncTransport,
    items: AsyncIterator[Frame | Flush],
    options: VideoOptions,
    event_timeout_s: float,
    reconnect: bool,
) -> AsyncIterator[Event]:
    """Yields the events of a stream, over as many connections as it takes.

    Args:
        transport: Makes connections.
        items: What is sent.
        options: Of the stream.
        event_timeout_s: Longest wait for an event, and for a lost connection.
        reconnect: Whether a lost connection is made anew.

    Raises:
        DeepharError: The stream failed.
        Exception: What `items` raises.
    """
    stream = _Stream(transport, items, options, event_timeout_s, reconnect)
    reading = asyncio.create_task(stream.read())
    try:
        async for event in stream.events():
            yield event
    finally:
        await _cancelled(reading)


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
        self._error: Exception | None = None  # what the items raised
        self._failed = asyncio.Event()

    async def events(self) -> AsyncIterator[Event]:
        while True:
            try:
                async for event in self._over_one_connection():
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

    async def _over_one_connection(self) -> AsyncIterator[Event]:
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
            await _cancelled(sending)
            await connection.close()

    async def _receive(self, connection: AsyncStreamConnection) -> Message | None:
        failed = asyncio.create_task(self._failed.wait())
        try:
            while True:
                received = asyncio.create_task(connection.receive(self._timeout_s))
                try:
                    await asyncio.wait((received, failed), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    if not received.done():
                        await _cancelled(received)
                if self._error is not None:
                    raise self._error
                try:
                    return received.result()
                except TimeoutError:
                    if not self._flow.may_wait:
                        raise self._flow.late() from None
        finally:
            await _cancelled(failed)

    async def read(self) -> None:
        """Reads the items of the caller, as there is room for them."""
        try:
            async for item in self._items:
                async with self._changed:
                    self._flow.add(item)
                    self._changed.notify_all()
                    await self._changed.wait_for(lambda: not self._flow.is_full)
        except Exception as error:
            self._error = error
            self._failed.set()
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
            await connection.send(item)


async def _cancelled(task: asyncio.Task[object]) -> None:
    """Ends a task, whatever it raises."""
    task.cancel()
    with suppress(asyncio.CancelledError, Exception):
        await task
