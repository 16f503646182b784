"""Notices an embedded Triton that lives but does not answer, and has it started again."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable

from service.background import BackgroundTask
from service.errors import DeadlineExceeded, Unavailable
from service.networks.triton import TritonClient

log = logging.getLogger(__name__)

ROUND_S = 1.0  # between two rounds
TRIES = 3  # in a row without an answer, until Triton is started again
LOADING_S = 300.0  # for a Triton to answer at all after its start


class TritonWatch:
    """Asks networks by real inferences, but only those that give reason to: calls wait in silence, or failed.

    `lost_s` says for how long Triton has not been found, `networks` which ones it has ready, `restart` starts it again.
    A network that answers anybody is not asked: being busy is no fault.
    """

    def __init__(
        self,
        triton: TritonClient,
        lost_s: Callable[[], float],
        networks: Callable[[], set[str]],
        restart: Callable[[str], None],
    ) -> None:
        self._triton, self._lost_s, self._networks, self._restart = triton, lost_s, networks, restart
        self._misses: dict[str, int] = {}
        self._restarted = -math.inf
        self._watching = BackgroundTask(self._keep_watching, "Triton watch")

    def start(self) -> None:
        self._watching.start()

    async def stop(self) -> None:
        await self._watching.stop()

    async def _keep_watching(self) -> None:
        while True:
            began = time.monotonic()
            try:
                await self._look()
            except Exception:
                log.exception("Triton could not be watched")
            await asyncio.sleep(max(0.0, began + ROUND_S - time.monotonic()))

    async def _look(self) -> None:
        if min(self._lost_s(), time.monotonic() - self._restarted) > LOADING_S:
            self._start_again(f"it did not answer for {LOADING_S:g} s")
            return
        ready = self._networks()
        suspects = [
            network
            for network, activity in self._triton.activity.items()
            if network in ready and (activity.failed or activity.silent_s() > activity.patience_s())
        ]
        answers = await asyncio.gather(*(self._answers(network) for network in suspects))
        self._misses = {
            network: self._misses.get(network, 0) + 1
            for network, answers_now in zip(suspects, answers, strict=True)
            if not answers_now
        }
        for network, misses in self._misses.items():
            if misses >= TRIES:
                self._start_again(f"{network} did not answer {misses} times in a row")
                return

    async def _answers(self, network: str) -> bool:
        """Whether the network answers this question or, meanwhile, anybody."""
        activity, began = self._triton.activity[network], time.monotonic()
        try:
            await self._triton.ask(network, activity.patience_s())
        except (Unavailable, DeadlineExceeded):
            return activity.answered_after(began)
        except Exception as error:  # of what it was asked, not of whether it answers
            log.debug("%s answers with an error: %s", network, error)
            activity.failed = False
        return True

    def _start_again(self, reason: str) -> None:
        self._misses.clear()
        self._triton.activity.clear()
        self._restarted = time.monotonic()
        self._restart(reason)
