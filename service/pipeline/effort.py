"""Which model answers, by the effort that a request asks for, by the time that it allows, and by the load."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np

from service.networks.catalogue import Catalogue
from service.networks.model import PERSON_NETWORK, Model
from service.networks.server import InferenceServer
from service.networks.tensors import IMAGE
from service.networks.urgency import Latency, become, present
from service.telemetry.request import observed

log = logging.getLogger(__name__)

Effort: TypeAlias = Literal["fast", "balanced", "best"]

STEPS: tuple[Effort, ...] = ("fast", "balanced", "best")
BUSY, CROWDED = 1 / 2, 3 / 4  # shares of the places taken, from which `best` and then `balanced` are stepped down
LONGEST_MEASUREMENT_S = 2.0  # that a request waits for models to be timed
SPARE = 0.8  # share of the allowed time that the networks may be expected to take


@dataclass(frozen=True)
class Choice:
    """The model that answers."""

    model: Model
    effort: Effort
    flip: bool  # average with the mirrored picture
    reason: str | None = None  # why it is not the effort that was asked for


class Need(NamedTuple):
    """What a request says of its model."""

    name: str | None
    effort: Effort | None
    actions: bool = False
    depth: bool = False
    picture: bool = False  # a flip test is possible, and people may have to be detected
    allowed_s: float | None = None  # for each frame of a stream; of a request, the time that is left holds


class ModelChooser:
    """Chooses among the models of one kind: same layout, same windows and labels, both with depth or both without."""

    def __init__(self, catalogue: Catalogue, server: InferenceServer) -> None:
        self._catalogue, self._server = catalogue, server
        self._measuring: dict[str, asyncio.Task[None]] = {}  # by network

    async def choose(self, need: Need, load: float) -> Choice:
        """Returns the choice.

        Args:
            need: Of the request. A model that is named without an effort answers, whatever the time and the load.
            load: Share of the places that others have taken.

        Raises:
            UnknownModel, InvalidArgument, Unavailable: The model that is named, or the default, cannot be used.
            DeadlineExceeded: The time is over already.
        """
        choice = await self._chosen(need, load)
        if (request := observed()) is not None:
            request.model = choice.model.name
        return choice

    async def _chosen(self, need: Need, load: float) -> Choice:
        own = self._catalogue.named(need.name, need.actions, need.depth)
        allowed_s = need.allowed_s if need.allowed_s is not None else present().left_s()
        if need.effort is None and (need.name or (allowed_s is None and load < CROWDED)):
            return Choice(own, "balanced", flip=False)
        may_measure = load < BUSY and (allowed_s is None or allowed_s > LONGEST_MEASUREMENT_S)
        kind = await self._of_kind(own, bool(need.name), may_measure)
        asked = need.effort or "balanced"
        reason: str | None = None
        step, most = STEPS.index(asked), 2 - (load >= BUSY) - (load >= CROWDED)
        if step > most:
            step, reason = most, "the service is busy"
        choice = self._at(STEPS[step], kind, own, need)
        while allowed_s is not None and step and self._expected_s(choice, need) > SPARE * allowed_s:
            step, reason = step - 1, "the time that is allowed is short"
            choice = self._at(STEPS[step], kind, own, need)
        if choice.effort != STEPS[step]:
            reason = f"there is no {'faster' if step == 0 else 'better'} model like {own.name!r} here"
        return Choice(choice.model, choice.effort, choice.flip, reason if choice.effort != asked else None)

    def _at(self, effort: Effort, kind: list[Model], own: Model, need: Need) -> Choice:
        """Returns what an effort means among models from the fastest to the best; balanced where it means no more."""
        match effort:
            case "fast" if kind[0] != own:
                return Choice(kind[0], "fast", flip=False)
            case "best" if need.picture or kind[-1] != own:
                return Choice(kind[-1], "best", flip=need.picture)
        return Choice(own, "balanced", flip=False)

    async def _of_kind(self, own: Model, named: bool, may_measure: bool) -> list[Model]:
        """Returns the models that may take the place of one, itself among them, from the fastest to the slowest.

        Where it was named, those are its exported cuts alone. Of the others those are left out that were not timed yet.
        """
        kind = [
            model
            for model in self._catalogue.all()
            if model.ready and _is_like(model, own) and (not named or _network(model) == _network(own))
        ]
        untimed = [model for model in kind if self._fastest_s(model.frame_network) == np.inf]
        if len(kind) > 1 and untimed and may_measure:
            await asyncio.wait([self._measured(model) for model in untimed], timeout=LONGEST_MEASUREMENT_S)
        known = [model for model in kind if model == own or self._fastest_s(model.frame_network) < np.inf]
        return sorted(known, key=lambda model: (self._fastest_s(model.frame_network), model.name))

    def _measured(self, model: Model) -> asyncio.Task[None]:
        """Returns the task that times a network: not on the request's own time, nor with its errors."""
        network = model.frame_network
        if network not in self._measuring:
            task = self._measuring[network] = asyncio.create_task(self._measure(model))
            task.add_done_callback(lambda _: self._measuring.pop(network, None))
        return self._measuring[network]

    async def _measure(self, model: Model) -> None:
        become(Latency.BULK)
        size = model.card.crop.size
        try:
            for _ in range(2):  # the first run may be slow
                await self._server.infer(model.frame_network, {IMAGE: np.zeros((1, size, size, 3), np.uint8)})
        except Exception as error:
            log.warning("model %s cannot be timed, and is not chosen by effort: %s", model.name, error)

    def _fastest_s(self, network: str) -> float:
        activity = self._server.activity.get(network)
        return np.inf if activity is None else activity.fastest_s

    def _expected_s(self, choice: Choice, need: Need) -> float:
        """Returns how long the networks should take, by their best times and by what waits for them."""
        networks = [choice.model.frame_network] * (2 if choice.flip else 1)
        if need.picture and self._catalogue.detector is not None:
            networks.append(PERSON_NETWORK)
        times = [
            activity.fastest_s * (1 + activity.waiting)
            for network in networks
            if (activity := self._server.activity.get(network)) is not None and activity.fastest_s < np.inf
        ]
        return sum(times)


def _is_like(a: Model, b: Model) -> bool:
    return (a.card.layout, a.card.dims, a.card.clip) == (b.card.layout, b.card.dims, b.card.clip)


def _network(model: Model) -> str:
    """Returns the name of the network that a model is, or is a cut of: `penn` of `penn@14`."""
    return model.name.partition("@")[0]
