"""Limits of the work in progress: of requests, over which callers are refused, and of pixels, for which they wait."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from service.errors import Overloaded


class Admission:
    """Admits up to a fixed amount and refuses more at once, so that memory and waiting stay bounded."""

    def __init__(self, limit: int, what: str) -> None:
        self._limit, self._what, self.inside = limit, what, 0

    @property
    def load_by_others(self) -> float:
        """Share of the limit that is taken by others than the one who asks, and is admitted."""
        return max(0, self.inside - 1) / self._limit

    @contextmanager
    def enter(self, amount: int = 1) -> Iterator[None]:
        """Returns the context of what is admitted. A single amount over the limit is admitted when nothing else is.

        Raises:
            Overloaded: There is no room.
        """
        if self.inside and self.inside + amount > self._limit:
            raise Overloaded(f"{self.inside} {self._what} are in work already; try again in a second")
        self.inside += amount
        try:
            yield
        finally:
            self.inside -= amount


class Lane:
    """Up to `limit` of something, or a single larger amount, in the order of arrival."""

    def __init__(self, limit: int) -> None:
        self._limit, self.held = limit, 0
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    def take_at_once(self, amount: int) -> bool:
        """Takes the amount if there is room and nobody waits; returns whether it did."""
        room = not self._waiting and self._fits(amount)
        if room:
            self.held += amount
        return room

    async def take(self, amount: int) -> None:
        if self.take_at_once(amount):
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((amount, turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():  # the turn came together with the cancellation
                self.held -= amount
            self._admit()  # the next ones may fit
            raise

    def give_back(self, amount: int) -> None:
        self.held -= amount
        self._admit()

    def _fits(self, amount: int) -> bool:
        return self.held + amount <= self._limit or self.held == 0

    def _admit(self) -> None:
        while self._waiting and (self._waiting[0][1].cancelled() or self._fits(self._waiting[0][0])):
            amount, turn = self._waiting.popleft()
            if not turn.cancelled():
                self.held += amount
                turn.set_result(None)


class Held:
    """One request's share of the budget of pixels."""

    def __init__(self, budget: PixelBudget) -> None:
        self._budget = budget
        self._lane: Lane | None = None
        self._pixels = 0

    async def take(self, pixels: int) -> None:
        """Takes the pixels of a picture, as soon as there is room. The share must be empty."""
        lane = self._budget.lane_of(pixels)
        await lane.take(pixels)
        self._lane, self._pixels = lane, pixels

    def take_at_once(self, pixels: int) -> bool:
        """Takes the pixels of a picture if there is room now; returns whether it did. The share must be empty."""
        lane = self._budget.lane_of(pixels)
        if not lane.take_at_once(pixels):
            return False
        self._lane, self._pixels = lane, pixels
        return True

    def keep(self, pixels: int) -> None:
        """Gives back all but these."""
        if self._lane is not None and pixels < self._pixels:
            self._lane.give_back(self._pixels - pixels)
            self._pixels = pixels


class PixelBudget:
    """Limit of the pixels that are decoded and not yet answered. Small pictures have a lane of their own."""

    SMALL = 2_500_000  # full HD and less

    def __init__(self, pixels: int) -> None:
        self._small, self._large = Lane(pixels // 3), Lane(pixels)

    @property
    def taken(self) -> int:
        return self._small.held + self._large.held

    def lane_of(self, pixels: int) -> Lane:
        return self._small if pixels <= self.SMALL else self._large

    @contextmanager
    def hold(self) -> Iterator[Held]:
        held = Held(self)
        try:
            yield held
        finally:
            held.keep(0)
