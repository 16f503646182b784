"""What a stream has to send: frames that wait, those that may have to be sent again, and the service's credits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from deephar.frames import NS, Flush, Frame
from deephar.options import DropPolicy

LOOKAHEAD = 2  # frames that wait to be sent, so that the next one is decoded meanwhile
WITHOUT_WORD = 2  # frames that are sent before the service has said how many there is room for
MOST_BYTES = 256 * 2**20  # of answered frames that are kept for a reconnection


@dataclass(slots=True)
class _Item:
    position: int
    item: Frame | Flush
    size: int


class Backlog:
    """The items of a stream by position: those before `next` were sent over the present connection.

    Args:
        policy: With `latest` one frame waits, and a newer one takes its place.
        max_bytes: Of answered frames that are kept; older ones are forgotten.
    """

    def __init__(self, policy: DropPolicy = "lossless", max_bytes: int = MOST_BYTES) -> None:
        self._drops, self._max_bytes = policy == "latest", max_bytes
        self._items: deque[_Item] = deque()
        self._places: dict[tuple[int, float], int] = {}  # positions by frame id and time
        self._first_unsent = 0  # position after the last one that was ever sent
        self._next = 0
        self._added = 0
        self._sent = 0  # frames over the present connection
        self._room: int | None = WITHOUT_WORD  # frames that may be sent over it in all; None: the service does not say
        self._largest_room = 0  # free places that the service has had at once
        self._is_answered = True  # whether the service has taken all that was sent over the present connection
        self._bytes = 0
        self.dropped = 0

    @property
    def is_full(self) -> bool:
        """Whether whoever reads frames should wait. With `latest` never: a newer frame takes the place."""
        return not self._drops and self._added - self._first_unsent >= LOOKAHEAD

    @property
    def is_sent(self) -> bool:
        return self._next >= self._added

    def add(self, item: Frame | Flush) -> None:
        if self._drops and isinstance(item, Frame):
            self._drop_waiting()
        if isinstance(item, Frame) and not isinstance(item.picture, bytes):
            item = replace(item, picture=item.picture.copy())  # callers may use the array again
        size = 0 if isinstance(item, Flush) else _size(item)
        self._items.append(_Item(self._added, item, size))
        self._bytes += size
        if isinstance(item, Frame):
            self._places[_key(item)] = self._added
        self._added += 1

    def take(self) -> Frame | Flush | None:
        """Returns the next item to send; None: there is none, or no room for it."""
        if self.is_sent:
            return None
        item = self._items[self._next - self._items[0].position].item
        if isinstance(item, Frame):
            if self._room is not None and self._sent >= self._room:
                return None
            self._sent += 1
        self._is_answered = False
        self._next += 1
        self._first_unsent = max(self._first_unsent, self._next)
        return item

    def credit(self, received: int, free: int) -> None:
        """Notes what the service has said of its room. A service from before there were credits says nothing."""
        self._room = received + free if received + free else None
        self._largest_room = max(self._largest_room, free)
        self._is_answered = self._room is None or (self._sent <= received and free >= self._largest_room)

    def flushed(self) -> None:
        """Forgets what was sent up to a flush, which is answered."""
        for place, item in enumerate(self._items):
            if isinstance(item.item, Flush) and item.position < self._next:
                for _ in range(place + 1):
                    self._forget_oldest()
                return

    def position_of(self, frame_id: int, time_s: float) -> int | None:
        """Returns where a frame stands; None: it was forgotten."""
        return self._places.get((frame_id, time_s))

    @property
    def is_answered(self) -> bool:
        """Whether the service has taken all that was sent: no event need come before the next frame."""
        return self._is_answered

    def forget_before(self, position: int, answered: int) -> None:
        """Forgets sent items before a position, and further answered ones where they have too many bytes."""
        while self._items and self._items[0].position < self._next:
            oldest = self._items[0]
            is_wanted = oldest.position >= position and (self._bytes <= self._max_bytes or oldest.position > answered)
            if is_wanted:
                return
            self._forget_oldest()

    def send_again(self, position: int) -> None:
        """Restarts for another connection, at this position or at the oldest item kept after it."""
        first = self._items[0].position if self._items else self._added
        self._next = max(first, min(position, self._first_unsent))
        self._sent, self._room = 0, WITHOUT_WORD
        self._largest_room, self._is_answered = 0, True

    def _forget_oldest(self) -> None:
        oldest = self._items.popleft()
        self._bytes -= oldest.size
        if isinstance(oldest.item, Frame) and self._places.get(_key(oldest.item)) == oldest.position:
            del self._places[_key(oldest.item)]

    def _drop_waiting(self) -> None:
        while self._items and self._items[-1].position >= self._first_unsent:
            waiting = self._items[-1]
            if isinstance(waiting.item, Flush):
                return  # what was sent before a flush is to be answered
            self._items.pop()
            self._places.pop(_key(waiting.item), None)
            self._bytes -= waiting.size
            self._added -= 1
            self.dropped += 1


def _key(frame: Frame) -> tuple[int, float]:
    return frame.frame_id, frame.time_ns / NS


def _size(frame: Frame) -> int:
    return len(frame.picture) if isinstance(frame.picture, bytes) else int(frame.picture.nbytes)
