"""How far the service is on its way to its end, for all who have callers to take leave of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import Unavailable

STOPPING = "the service is stopping; try again in a few seconds, or at another instance"


class Stopping:
    """First `begun`: nothing new is let in, and streams end. After the grace `over`: what is unfinished ends too."""

    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.over = asyncio.Event()

        self._unfinished: set[Callable[[], None]] = set()

    def refuse_if_begun(self) -> None:
        if self.begun.is_set():
            raise Unavailable(STOPPING)

    @contextmanager
    def ends(self, end: Callable[[], None]) -> Iterator[None]:
        """Calls `end` if the grace is over while this lasts."""
        self._unfinished.add(end)
        try:
            yield
        finally:
            self._unfinished.discard(end)

    def end_all(self) -> None:
        self.over.set()
        for end in list(self._unfinished):
            end()
