"""Watchdog of the embedded Triton: restarts one that runs but does not answer."""

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

ROUND_S = 1.0  # interval of the checks
TRIES = 3  # probes of a network in a row without an answer, before Triton is restarted
LOADING_S = 300.0  # within which a Triton must answer after its start


class TritonWatch:
    """Probes networks by real inferences, where calls failed or have been pending for too long.

    A network that answers any call is not probed: being busy is no fault.

    Args:
        triton: The client whose activity is watched.
        lost_s: Returns for how many seconds Triton has not answered; 0 while it does.
        networks: Returns the names of the networks that Triton has ready.
        restart: Restarts Triton; its argument is the reason, for the log.
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
                await self._check()
            except Exception:
                log.exception("Triton could not be watched")
            await asyncio.sleep(max(0.0, began + ROUND_S - time.monotonic()))

    async def _check(self) -> None:
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
        """Returns whether the network answers a probe or, meanwhile, any other call."""
        activity, began = self._triton.activity[network], time.monotonic()
        try:
            await self._triton.ask(network, activity.patience_s())
        except (Unavailable, DeadlineExceeded):
            return activity.answered_after(began)
        except Exception as error:  # an error is an answer too
            log.debug("%s answers with an error: %s", network, error)
            activity.failed = False
        return True

    def _start_again(self, reason: str) -> None:
        self._misses.clear()
        self._triton.activity.clear()
        self._restarted = time.monotonic()
        self._restart(reason)
