"""A stream for synchronous callers: one thread reads the frames, one sends them, the caller's receives."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator

from deephar.errors import DeepharError
from deephar.events import Event
from deephar.flow import Flow
from deephar.frames import Flush, Frame
from deephar.options import VideoOptions
from deephar.transport import Message, StreamConnection, Transport

_LEAVING_S = 1.0  # for the thread that reads frames, which may wait for a camera


def events_of(
    transport: Transport,
    items: Iterator[Frame | Flush],
    options: VideoOptions,
    event_timeout_s: float,
    reconnect: bool,
) -> Generator[Event, None, None]:
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
    return _Stream(transport, items, options, event_timeout_s, reconnect).events()


class _Stream:
    def __init__(
        self,
        transport: Transport,
        items: Iterator[Frame | Flush],
        options: VideoOptions,
        event_timeout_s: float,
        reconnect: bool,
    ) -> None:
        self._transport, self._items, self._options = transport, items, options
        self._timeout_s = event_timeout_s
        self._flow = Flow(options, reconnect, event_timeout_s)
        self._changed = threading.Condition()  # guards all below, and the flow
        self._connection: StreamConnection | None = None
        self._error: BaseException | None = None  # what the items raised, or that one of them cannot be sent
        self._is_closed = False

    def events(self) -> Generator[Event, None, None]:
        reader = threading.Thread(target=self._read, name="deephar-frames", daemon=True)
        reader.start()
        try:
            while True:
                try:
                    yield from self._over_one_connection()
                except DeepharError as error:
                    if self._error is not None:
                        raise self._error from None
                    with self._changed:
                        given, pause_s = self._flow.failed(error)
                    yield from given
                    if pause_s is None:
                        raise
                    time.sleep(pause_s)
                else:
                    yield from self._flow.finished()
                    return
        finally:
            with self._changed:
                self._is_closed = True
                self._changed.notify_all()
            reader.join(_LEAVING_S)

    def _over_one_connection(self) -> Iterator[Event]:
        connection = self._transport.stream(self._options, self._timeout_s)
        with self._changed:
            self._connection = connection
        sender = threading.Thread(target=self._send, args=(connection,), name="deephar-sending", daemon=True)
        sender.start()
        try:
            while (message := self._receive(connection)) is not None:
                with self._changed:
                    events = self._flow.take(message)
                    self._changed.notify_all()
                yield from events
        finally:
            with self._changed:
                self._connection = None
                self._changed.notify_all()
            connection.close()
            sender.join()

    def _receive(self, connection: StreamConnection) -> Message | None:
        while True:
            if self._error is not None:
                raise self._error
            try:
                return connection.receive(self._timeout_s)
            except TimeoutError:
                with self._changed:
                    if not self._flow.may_wait:
                        raise self._flow.late() from None

    def _read(self) -> None:
        """Reads the items of the caller, as there is room for them."""
        try:
            for item in self._items:
                with self._changed:
                    self._flow.add(item)
                    self._changed.notify_all()
                    self._changed.wait_for(lambda: self._is_closed or not self._flow.is_full)
                    if self._is_closed:
                        break
        except BaseException as error:
            self._fail(error)
        finally:
            with self._changed:
                self._flow.end()
                self._changed.notify_all()
            if (close := getattr(self._items, "close", None)) is not None:
                close()

    def _send(self, connection: StreamConnection) -> None:
        """Sends items over a connection until it is lost, or all were sent. Whoever receives learns why it was lost."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_due(connection))
                if self._connection is not connection:
                    return
                item = self._item
                self._changed.notify_all()
            if item is None:
                connection.end()
                return
            try:
                connection.send(item)
            except Exception as error:
                self._fail(error)
                return

    def _fail(self, error: BaseException) -> None:
        """Has the caller's thread raise an error: it no longer waits for events."""
        with self._changed:
            self._error = error
            connection = self._connection
        if connection is not None:
            connection.close()

    def _is_due(self, connection: StreamConnection) -> bool:
        """Returns whether the sender has something to do; `_item` is what it sends, or None at the end."""
        if self._connection is not connection:
            return True
        self._item = self._flow.next_item()
        return self._item is not None or (self._flow.is_over and self._error is None)
