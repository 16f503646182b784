"""State of the shutdown, shared by all parts that serve callers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Unavailable

STOPPING = "the service is stopping; try again in a few seconds, or at another instance"


class Stopping:
    """The three steps of a shutdown.

    Attributes:
        announced: Set first: the service says that it is not ready, and still takes what comes.
        begun: Nothing new is admitted, and streams end.
        over: Set when the grace is over: all that is unfinished ends.
    """

    def __init__(self) -> None:
        self.announced = asyncio.Event()
        self.begun = asyncio.Event()
        self.over = asyncio.Event()
        self._unfinished: set[Callable[[], None]] = set()

    def refuse_if_begun(self) -> None:
        """Raises `Unavailable` once the shutdown has begun."""
        if self.begun.is_set():
            raise Unavailable(STOPPING)

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """Returns a context within which `end` is called when the grace is over."""
        self._unfinished.add(end)
        try:
            yield
        finally:
            self._unfinished.discard(end)

    def end_all(self) -> None:
        """Ends what is unfinished, when the grace is over."""
        self.over.set()
        for end in list(self._unfinished):
            end()
