"""One stream over as many connections as it takes: what is sent next, what the caller gets, and when it goes on."""

from __future__ import annotations

import random
import time

from deephar.backlog import Backlog
from deephar.continuity import Continuity
from deephar.errors import DeadlineExceeded, DeepharError, Overloaded, Unavailable, Unreachable
from deephar.events import Event, Flushed, Started
from deephar.frames import Flush, Frame
from deephar.options import VideoOptions
from deephar.retries import backoff_s
from deephar.transport import Message

MOST_FRUITLESS = 5  # connections one after the other that were lost again before any new event
_LOST = (Unreachable, Unavailable)


class Flow:
    """The state of a stream. Not safe for threads: who has some holds a lock.

    Args:
        options: Of the stream.
        reconnect: Whether it goes on over another connection when one is lost.
        patience_s: How long a lost connection may stay lost.
    """

    def __init__(self, options: VideoOptions, reconnect: bool, patience_s: float) -> None:
        self._backlog = Backlog(options.drop_policy)
        self._continuity = Continuity(own_ids=options.people == "boxes")
        self._reconnect, self._patience_s = reconnect, patience_s
        self._ended = self._has_begun = False
        self._attempts = 0  # to connect again
        self._fruitless, self._is_fruitless = 0, False
        self._lost_s: float | None = None  # since when there is no connection, by `time.monotonic`

    @property
    def is_full(self) -> bool:
        """Whether whoever reads frames should wait."""
        return self._backlog.is_full

    @property
    def is_over(self) -> bool:
        """Whether all items were sent, and there will be none."""
        return self._ended and self._backlog.is_sent

    @property
    def may_wait(self) -> bool:
        """Whether no event need come before the next frame is sent."""
        return not self.is_over and self._backlog.is_answered

    def add(self, item: Frame | Flush) -> None:
        """Takes the next item of the caller."""
        self._backlog.add(item)

    def end(self) -> None:
        """Notes that the caller has no more items."""
        self._ended = True

    def next_item(self) -> Frame | Flush | None:
        """Returns the next item to send; None: there is none, or no room for it."""
        return self._backlog.take()

    def take(self, message: Message) -> list[Event]:
        """Returns the events that the caller gets for a message."""
        self._has_begun, self._is_fruitless, self._lost_s = True, self._lost_s is not None or self._is_fruitless, None
        self._backlog.credit(message.received, message.credits)
        event = message.event
        if event is None:
            return []
        at = None if isinstance(event, Started) else self._backlog.position_of(event.frame_id, event.time_s)
        given = self._continuity.take(event, at)
        if given and not isinstance(event, Started):
            self._attempts = self._fruitless = 0
            self._is_fruitless = False
        if isinstance(event, Flushed):
            self._backlog.flushed()
        self._backlog.forget_before(self._resume_at(), self._continuity.answered)
        return given

    def finished(self) -> list[Event]:
        """Returns the last events, after the service has answered everything."""
        return self._continuity.finished()

    def failed(self, error: DeepharError) -> tuple[list[Event], float | None]:
        """Notes that the connection has ended with an error.

        Returns:
            Events for the caller, and after how many seconds to connect again; None: the error is to be raised.
        """
        now_s = time.monotonic()
        may_return = isinstance(error, _LOST) or (isinstance(error, Overloaded) and self._lost_s is not None)
        self._lost_s = now_s if self._lost_s is None else self._lost_s
        self._fruitless += self._is_fruitless
        self._is_fruitless = False
        is_given_up = self._fruitless >= MOST_FRUITLESS
        if not self._reconnect or not self._has_begun or not may_return or is_given_up:
            return self._continuity.finished(), None
        pause_s = backoff_s(self._attempts) * (1 + random.random() / 2)  # noqa: S311 - not all at once
        if now_s + pause_s > self._lost_s + self._patience_s:
            return self._continuity.finished(), None
        self._attempts += 1
        given = self._continuity.lost()
        self._backlog.send_again(self._resume_at())
        return given, pause_s

    def late(self) -> DeepharError:
        """Returns the error of a service that does not answer in time."""
        return DeadlineExceeded(
            "deadline_exceeded", f"no event came within {self._patience_s:g} s; allow more by event_timeout_s"
        )

    def _resume_at(self) -> int:
        """Returns the position of the first frame that would be sent again."""
        positions = [self._backlog.position_of(*window) for window in self._continuity.resume_at()]
        return min((position for position in positions if position is not None), default=self._continuity.answered)
