"""Reads what a Triton has in its model repository: models, the detector, and what is missing of either."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from service.networks.card import PersonCard
from service.networks.model import CLIP_SUFFIX, FRAME_SUFFIX, PERSON_NETWORK, Model, ModelState, model_of
from service.networks.repository import NOT_OURS, card_in, detector_card_in
from service.networks.server import InferenceServer, LoadedModel
from service.networks.tensors import CROP_BOXES

REASON_CHARACTERS = 200  # of a reason that is told to everybody; all of it stands in the log
_FOLDERS = re.compile(r"/(?:[^/\s\"']+/)+")  # which are nobody's business


@dataclass
class Contents:
    """What one reading found.

    Attributes:
        models: Those whose card is known, ready or not.
        states: Of all models and the detector, by name.
        detector: Its card, where it is ready.
        networks: Those that are ready.
        refusals: Why networks are not, by name, as far as that is a fault.
    """

    models: dict[str, Model] = field(default_factory=dict)
    states: dict[str, ModelState] = field(default_factory=dict)
    detector: PersonCard | None = None
    networks: set[str] = field(default_factory=set)
    refusals: dict[str, str] = field(default_factory=dict)

    @property
    def detector_away(self) -> bool:
        state = self.states.get(PERSON_NETWORK)
        return state is not None and not state.ready


async def read_contents(server: InferenceServer, before: Contents, refusals: Mapping[str, str] | None) -> Contents:
    """Returns what a Triton has.

    Args:
        server: The Triton, or several.
        before: The reading before: Triton gives no configuration, and so no card, of what is not loaded.
        refusals: Why networks are not loaded, where the service itself loads them; None where it does not.

    Raises:
        Unavailable, DeadlineExceeded: Triton did not answer.
    """
    return await _Reading(server, before, refusals, await server.models()).contents()


class _Reading:
    def __init__(
        self, server: InferenceServer, before: Contents, refusals: Mapping[str, str] | None, index: list[LoadedModel]
    ) -> None:
        self._server, self._before, self._found = server, before, Contents()
        self._refused_before_loading = refusals
        there = [entry for entry in index if not entry.gone and not entry.name.startswith(".")]
        self._names = {entry.name for entry in there} | {*(refusals or {})}
        self._ready = {entry.name: entry.version for entry in there if entry.ready}
        self._found.networks = set(self._ready)
        self._reasons = {e.name: " ".join(e.reason.split()) for e in there if not e.ready and e.reason} | dict(
            refusals or {}
        )
        self._found.refusals |= self._reasons

    async def contents(self) -> Contents:
        found = self._found
        # Cards are read each time: a model that is exported again keeps its name and version.
        for name in sorted({model_of(network) for network in self._names} - {PERSON_NETWORK, ""}):
            model, missing = await self._model(name)
            if model is not None:
                found.models[name] = model
            if missing or model is not None:
                found.states[name] = ModelState(name, model.version if model is not None else "", tuple(missing))
        if PERSON_NETWORK in self._names:
            await self._read_detector()
        for network in sorted(self._names):
            if not model_of(network):
                found.refusals[network] = NOT_OURS
        return found

    async def _model(self, name: str) -> tuple[Model | None, list[str]]:
        """Returns a model as far as it is known, and what is missing of it."""
        frame, clip = name + FRAME_SUFFIX, name + CLIP_SUFFIX
        known = self._before.models.get(name)
        if frame not in self._names:
            if self._refused_before_loading is not None and clip not in self._refused_before_loading:
                return None, []  # both folders were removed, and the clip network is still to be unloaded
            self._refuse(clip, f"there is no {frame}")
            return None, [self._not_loaded(frame)]
        if frame not in self._ready:
            reason = self._not_loaded(frame)
            return known.away(reason) if known else None, [reason]
        config = await self._server.config(frame)
        try:
            card = card_in(config, frame)
        except ValueError as error:
            self._refuse(frame, " ".join(f"it has no valid card: {error}".split()))
            return None, [self._not_loaded(frame)]
        takes_crops, clip_max_batch, missing = False, 1, []
        if card.clip is not None and clip in self._ready:
            clip_config = await self._server.config(clip)
            takes_crops = CROP_BOXES in {tensor.name for tensor in clip_config.input}
            clip_max_batch = max(1, clip_config.max_batch_size)
        elif card.clip is not None:
            missing.append(self._not_loaded(clip))
        model = Model(
            card=card,
            version=self._ready[frame],
            ready=not missing,
            max_batch=max(1, config.max_batch_size),
            clip_takes_crops=takes_crops,
            clip_max_batch=clip_max_batch,
            clip_version=self._ready.get(clip, ""),
            missing=tuple(missing),
        )
        return model, missing

    async def _read_detector(self) -> None:
        missing: list[str] = []
        if PERSON_NETWORK not in self._ready:
            missing.append(self._not_loaded(PERSON_NETWORK))
        else:
            try:
                self._found.detector = detector_card_in(await self._server.config(PERSON_NETWORK))
            except ValueError as error:
                self._refuse(PERSON_NETWORK, " ".join(f"it has no valid card: {error}".split()))
                return
        self._found.states[PERSON_NETWORK] = ModelState(
            PERSON_NETWORK, self._ready.get(PERSON_NETWORK, ""), tuple(missing)
        )

    def _not_loaded(self, network: str) -> str:
        if network not in self._names:
            return f"{network} is not in the repository"
        reason = _FOLDERS.sub("", self._found.refusals.get(network, ""))[:REASON_CHARACTERS]
        return f"{network} is refused: {reason}" if reason else f"{network} is being loaded"

    def _refuse(self, network: str, reason: str) -> None:
        self._found.refusals.setdefault(network, reason)
