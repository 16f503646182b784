"""One of several Tritons: its client, and what is known of its health."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial

from service.background import BackgroundTask
from service.errors import DeadlineExceeded, DeepharError, Unavailable
from service.networks.server import LoadedModel
from service.networks.triton import TritonClient
from service.telemetry.metrics import METRICS

log = logging.getLogger(__name__)

ROUND_S = 0.5  # interval of the checks
SOON_S = 0.05  # before the check after a failed call: calls that fail together cause one
ANSWER_S = 1.5  # for a question; one that answers inferences meanwhile is busy, not lost


class Member:
    """A Triton among others. It is out while it does not answer, and each of its networks while that does not.

    Args:
        client: Of this Triton.
        others_have: Returns whether another one can take the calls of a network.
        changed: Called when it came back, so that its models are read.
    """

    def __init__(
        self, client: TritonClient, others_have: Callable[[Member, str], bool], changed: Callable[[], None]
    ) -> None:
        self.client, self.address = client, client.url
        self.is_up = False
        self.models: list[LoadedModel] = []  # entries of its repository, by the last reading
        self.ready: dict[str, str] = {}  # networks that can be asked, and their versions
        self._others_have, self._changed = others_have, changed
        self._lost_since = time.monotonic()
        self._is_told = False
        self._probes: dict[str, asyncio.Task[None]] = {}
        self._checking = BackgroundTask(self._keep_checking, f"check of Triton at {self.address}")
        METRICS.triton_up.labels(self.address).set(0)

    def start(self) -> None:
        self._checking.start()

    async def stop(self) -> None:
        await self._checking.stop()
        for probe in list(self._probes.values()):
            probe.cancel()
        await asyncio.gather(*self._probes.values(), return_exceptions=True)
        await self.client.close()
        METRICS.triton_up.remove(self.address)

    def can_answer(self, network: str) -> bool:
        """Returns whether it has the network, and that has not just failed."""
        activity = self.client.activity.get(network)
        return self.is_up and network in self.ready and (activity is None or not activity.failed)

    async def read(self) -> None:
        """Reads the entries of its repository. Raises as the client."""
        models = await self.client.models()
        if self.is_up:
            self.models = models
            self.ready = {model.name: model.version for model in models if model.ready}

    async def check(self) -> None:
        """Asks it, and those of its networks that have failed or keep calls waiting."""
        began = time.monotonic()
        try:
            await self.client.server_name(ANSWER_S)
        except DeepharError as error:
            hangs = isinstance(error, DeadlineExceeded)
            if not hangs or not any(a.answered_after(began) for a in self.client.activity.values()):
                self._lose("it does not answer" if hangs else "no connection")
            return
        self._find()
        for network, activity in self.client.activity.items():
            silent = activity.silent_s() > activity.patience_s()
            if silent and self._others_have(self, network):
                activity.failed = True
                self.client.give_up(network)
            if (activity.failed or silent) and network in self.ready and network not in self._probes:
                probe = self._probes[network] = asyncio.create_task(self._probe(network))
                probe.add_done_callback(partial(self._end_probe, network))

    def _lose(self, reason: str) -> None:
        if self.is_up:
            self._lost_since = time.monotonic()
        self.is_up, self.ready = False, {}
        self.models = [model._replace(ready=False) for model in self.models]
        METRICS.triton_up.labels(self.address).set(0)
        if not self._is_told:
            self._is_told = True
            log.error("Triton at %s is lost: %s", self.address, reason)
        waiting = [network for network, activity in self.client.activity.items() if activity.waiting]
        elsewhere = [network for network in waiting if self._others_have(self, network)]
        if waiting and waiting == elsewhere:
            self.client.give_up()
        for network in elsewhere:
            self.client.give_up(network)

    def _find(self) -> None:
        self.client.take_up()
        METRICS.triton_up.labels(self.address).set(1)  # each time: one that left at this address removes it
        if self.is_up:
            return
        self.is_up = True
        if self._is_told:
            log.warning("Triton at %s is back after %.1f s", self.address, time.monotonic() - self._lost_since)
        self._is_told = False
        self._changed()

    async def _probe(self, network: str) -> None:
        activity = self.client.activity[network]
        try:
            await self.client.ask(network, activity.patience_s())
        except (Unavailable, DeadlineExceeded):
            activity.failed = True
        except Exception as error:  # an error is an answer too
            log.debug("%s at %s answers with an error: %s", network, self.address, error)
            activity.failed = False

    def _end_probe(self, network: str, _: asyncio.Task[None]) -> None:
        del self._probes[network]

    async def _keep_checking(self) -> None:
        while True:
            try:
                await self.check()
            except Exception:
                log.exception("Triton at %s could not be checked", self.address)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(ROUND_S):
                    await self.client.doubted.wait()
            self.client.doubted.clear()
            await asyncio.sleep(SOON_S)
