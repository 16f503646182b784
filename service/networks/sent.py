"""The inferences that were sent to a Triton and have not ended, also those that nobody waits for any more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

MOST_LEFT = 16  # inferences that nobody waits for, before further ones wait for their end


class SentInferences:
    """Inferences end by themselves, not with those who wait for them.

    The gRPC of Triton 2.51 may use a call after it was freed where that is cancelled, or its time is over, just as it
    is answered: Triton ends with signal 11. So a call is not cancelled while Triton is well.
    """

    def __init__(self) -> None:
        self._networks: dict[asyncio.Task[Any], str] = {}
        self._left: set[asyncio.Task[Any]] = set()

    @property
    def are_many_left(self) -> bool:
        """Whether Triton has so much to do for nobody that a further inference is to wait for `room`."""
        return len(self._left) >= MOST_LEFT

    async def room(self) -> None:
        """Waits until there is less of what nobody waits for."""
        while self.are_many_left:
            await asyncio.wait(self._left, return_when=asyncio.FIRST_COMPLETED)

    async def answer(self, network: str, call: Awaitable[Any], within_s: float, ended: Callable[[], None]) -> Any:
        """Returns the answer of a call.

        Args:
            network: That it asks.
            call: Is begun already.
            within_s: How long to wait for it.
            ended: Called when Triton has nothing more to do for it, which may be after this has returned.

        Raises:
            TimeoutError: There is none in this time.
            CancelledError: The call was given up, or the present task was cancelled.
            AioRpcError: Triton's error.
        """
        task = asyncio.create_task(_answer_of(call))
        self._networks[task] = network
        task.add_done_callback(partial(self._end, ended))
        try:
            done, _ = await asyncio.wait({task}, timeout=within_s)
        finally:
            if not task.done():
                self._left.add(task)
        if not done:
            raise TimeoutError
        return task.result()

    def give_up(self, network: str | None) -> None:
        """Cancels the calls of a network, or all, of a Triton that seems to be lost."""
        for task in [task for task, asked in self._networks.items() if network in (None, asked)]:
            task.cancel()

    def _end(self, ended: Callable[[], None], task: asyncio.Task[Any]) -> None:
        del self._networks[task]
        self._left.discard(task)
        if not task.cancelled():
            task.exception()  # looked at: nobody else may
        ended()


async def _answer_of(call: Awaitable[Any]) -> Any:
    return await call
