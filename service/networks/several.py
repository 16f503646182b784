"""Several Tritons as one inference server: each call goes to the one with the least to do, and to another if it fails.

An inference has no effect, so it may always be repeated.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable

from tritonclient.grpc.model_config_pb2 import ModelConfig

from service.background import BackgroundTask
from service.errors import DeepharError, Overloaded, Unavailable
from service.networks.addresses import Resolver
from service.networks.member import Member
from service.networks.server import Activity, LoadedModel, Outputs, Tensors
from service.networks.triton import TritonClient
from service.networks.urgency import present

log = logging.getLogger(__name__)

MOST_TRIES = 3
LOOK_UP_S = 10.0  # interval at which names are looked up
LOOK_S = 0.1
LEAVING_S = 30.0  # for the calls of a Triton whose address is no longer there
_AWAY = "no Triton answers for this model at present; try again in a few seconds"


class SeveralTritons:
    """An `InferenceServer` of several Tritons, which may have different models.

    Args:
        resolver: Their addresses.
        url: As the settings name them.
        client: Makes the client of an address.
    """

    def __init__(self, resolver: Resolver, url: str, client: Callable[[str], TritonClient]) -> None:
        self.url, self._resolver, self._client = url, resolver, client
        self.doubted = asyncio.Event()
        self.activity: dict[str, Activity] = {}
        self.members: dict[str, Member] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._looking_up = BackgroundTask(self._keep_looking_up, "addresses of Triton")

    def start(self) -> None:
        self._looking_up.start()

    async def stop(self) -> None:
        await self._looking_up.stop()

    async def close(self) -> None:
        for leaving in self._leaving:
            leaving.cancel()
        stopping = (member.stop() for member in self.members.values())
        await asyncio.gather(*self._leaving, *stopping, return_exceptions=True)

    async def server_name(self) -> str:
        return "several"

    async def models(self) -> list[LoadedModel]:
        """Returns the entries of all repositories. Where two have the same model, the one that is ready comes last.

        What a server that is away had is still there, and not ready: callers are told to come again.
        """
        members = [member for member in self.members.values() if member.is_up]
        answers = await asyncio.gather(*(member.read() for member in members), return_exceptions=True)
        if all(isinstance(answer, BaseException) for answer in answers):
            raise next((answer for answer in answers if isinstance(answer, DeepharError)), Unavailable(_AWAY))
        models = [model for member in self.members.values() for model in member.models]
        there = {model.name for model in models if not model.gone}
        models = [model for model in models if not (model.gone and model.name in there)]
        return sorted(models, key=lambda model: (model.ready, _number(model.version)))

    async def config(self, model: str) -> ModelConfig:
        """Returns the configuration of the newest version; each server's is read, since its probes need it."""
        members = [member for member in self.members.values() if model in member.ready]
        members.sort(key=lambda member: _number(member.ready[model]), reverse=True)
        answers = await asyncio.gather(*(member.client.config(model) for member in members), return_exceptions=True)
        for answer in answers:
            if not isinstance(answer, BaseException):
                return answer
        raise Unavailable(_AWAY)

    async def infer(self, network: str, tensors: Tensors, version: str = "") -> Outputs:
        activity = self.activity.setdefault(network, Activity())
        samples, began = len(next(iter(tensors.values()))), time.monotonic()
        activity.began(samples)
        try:
            outputs = await self._first_answer(network, tensors, version)
        except Unavailable:
            activity.failed = True
            self.doubted.set()
            raise
        finally:
            activity.waiting -= samples
        activity.answered()
        activity.fastest_s = min(activity.fastest_s, (activity.last_answer - began) / samples)
        return outputs

    async def _first_answer(self, network: str, tensors: Tensors, version: str) -> Outputs:
        asked: list[Member] = []
        failure: DeepharError = Unavailable(_AWAY)
        while len(asked) < MOST_TRIES and (member := self._choice(network, version, asked)) is not None:
            asked.append(member)
            try:
                return await member.client.infer(network, tensors, version)
            except (Unavailable, Overloaded) as error:
                failure = error
            present().left_s()  # raises when the caller's own time is over
        raise failure

    def _choice(self, network: str, version: str, asked: list[Member]) -> Member | None:
        """Returns the server with the fewest samples in work. If none is known to be well, one that may be."""
        having = [member for member in self.members.values() if member not in asked and network in member.ready]
        able = [member for member in having if member.can_answer(network)] or having
        fitting = [member for member in able if member.ready[network] == version] or able
        return min(fitting, key=lambda member: (member.client.samples, random.random()), default=None)  # noqa: S311

    def _others_have(self, lost: Member, network: str) -> bool:
        return any(member.can_answer(network) for member in self.members.values() if member is not lost)

    async def _keep_looking_up(self) -> None:
        while True:
            try:
                await self.look_up()
            except Exception:
                log.exception("the addresses of Triton could not be looked up")
            await asyncio.sleep(LOOK_UP_S if self.members else 1.0)

    async def look_up(self) -> None:
        """Takes in servers whose addresses are new, and lets those go whose addresses are no longer there."""
        addresses = await self._resolver.addresses()
        for address in addresses:
            if address not in self.members:
                member = self.members[address] = Member(self._client(address), self._others_have, self.doubted.set)
                member.start()
        for address in self.members.keys() - set(addresses):
            leaving = asyncio.create_task(self._leave(self.members.pop(address)))
            self._leaving.add(leaving)
            leaving.add_done_callback(self._leaving.discard)

    async def _leave(self, member: Member) -> None:
        log.info("Triton at %s is no longer in the DNS", member.address)
        leaves = time.monotonic()
        try:
            while member.client.samples and time.monotonic() - leaves < LEAVING_S:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(LOOK_S)
        finally:
            await member.stop()


def _number(version: str) -> int:
    return int(version) if version.isdigit() else 0
